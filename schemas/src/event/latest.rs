//! The latest version of every event: what other code imports.

use crate::catalogue::catalogue;

pub use super::v1::{
    AccessKeyCreated, AccessKeyDeleted, AccessKeySwitched, NewOperator, OperatorCreated, OperatorDeleted,
    OperatorPasswordSet, OperatorUpdated, PasswordHash, Role, Scope,
};
pub use super::v1::{
    Action, CaCertificate, CertificateSlot, DeclaredCredential, DeviceProfile, Edition, Effect, Instance,
    OnCertificateChange, Parameter, ParameterKind, PolicyTarget, PresentedCertificate, ProductDetails, Reference, Statement,
    StaticOrReference, Tag, TemplateBody, TemplateDevice, TemplatePolicy, TemplateResources, TemplateTag,
};
pub use super::v1::{
    CaCodeIssued, CaConfigured, CaDeleted, CaUploaded, CaVerified, DeviceCertificatePinned, DeviceCertificateReplaced,
    DeviceCertificateSwitched, DeviceDeleted, DeviceFingerprintReset, DeviceFrozen, DeviceReadmitted, DeviceRegistered,
    DeviceTagsChanged, DeviceUnfrozen, DeviceUpdated, InstanceCreated, InstanceDeleted, InstanceUpdated, PolicyBound,
    PolicyCreated, PolicyDeleted, PolicyUnbound, PolicyUpdated, ProductCreated, ProductDeleted, ProductUpdated,
    SpaceCreated, SpaceDeleted, SpaceRenamed, TemplateCreated, TemplateDeleted, TemplateUpdated,
};
pub use super::v2::DevicePreRegistered;

catalogue! {
    /// What happened, in its latest version.
    Event {
        InstanceCreated 1,
        InstanceUpdated 1,
        InstanceDeleted 1,
        OperatorCreated 1,
        OperatorUpdated 1,
        OperatorPasswordSet 1,
        OperatorDeleted 1,
        AccessKeyCreated 1,
        AccessKeySwitched 1,
        AccessKeyDeleted 1,
        SpaceCreated 1,
        SpaceRenamed 1,
        SpaceDeleted 1,
        ProductCreated 1,
        ProductUpdated 1,
        ProductDeleted 1,
        PolicyCreated 1,
        PolicyUpdated 1,
        PolicyDeleted 1,
        PolicyBound 1,
        PolicyUnbound 1,
        TemplateCreated 1,
        TemplateUpdated 1,
        TemplateDeleted 1,
        CaUploaded 1,
        CaCodeIssued 1,
        CaVerified 1,
        CaConfigured 1,
        CaDeleted 1,
        DeviceRegistered 1,
        DevicePreRegistered 2,
        DeviceCertificatePinned 1,
        DeviceCertificateReplaced 1,
        DeviceUpdated 1,
        DeviceTagsChanged 1,
        DeviceFrozen 1,
        DeviceUnfrozen 1,
        DeviceFingerprintReset 1,
        DeviceCertificateSwitched 1,
        DeviceDeleted 1,
        DeviceReadmitted 1,
    }
}
