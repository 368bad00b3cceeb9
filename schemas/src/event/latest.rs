//! The latest version of every event: what other code imports.

use crate::catalogue::catalogue;

pub use super::v1::{
    AccessKeyCreated, AccessKeyDeleted, AccessKeySwitched, NewOperator, OperatorCreated, OperatorDeleted,
    OperatorPasswordSet, OperatorUpdated, PasswordHash, Role, Scope,
};
pub use super::v1::{
    Action, CaCertificate, CertificateSlot, DeclaredCredential, DeviceProfile, Edition, Effect, OnCertificateChange,
    Parameter, ParameterKind, PolicyTarget, ProductDetails, Reference, RetirementReason, Statement, StaticOrReference, Tag,
    TemplateBody, TemplateDevice, TemplatePolicy, TemplateResources, TemplateTag,
};
pub use super::v1::{
    CaCodeIssued, CaConfigured, CaUploaded, CaVerified, CertificateReadmitted, CertificateRetired,
    DeviceCertificateSwitched, DeviceDeleted, DeviceFingerprintReset, DeviceFrozen, DeviceReadmitted, DeviceTagsChanged,
    DeviceUnfrozen, DeviceUpdated, InstanceDeleted, LogAdopted, PolicyBound, PolicyCreated, PolicyDeleted, PolicyUnbound,
    PolicyUpdated, ProductCreated, ProductDeleted, ProductUpdated, RegistrarKeyNamed, RetiredForgotten, SpaceDeleted,
    SpaceRenamed, TemplateCreated, TemplateDeleted, TemplateUpdated,
};
pub use super::v2::{
    CaDeleted, ChainCertificate, DeviceCertificatePinned, DeviceCertificateReplaced, DevicePreRegistered, DeviceRegistered,
    Instance, InstanceCreated, InstanceUpdated, PresentedCertificate, SpaceCreated,
};

catalogue! {
    /// What happened, in its latest version.
    Event {
        LogAdopted 1,
        RegistrarKeyNamed 1,
        InstanceCreated 2,
        InstanceUpdated 2,
        InstanceDeleted 1,
        OperatorCreated 1,
        OperatorUpdated 1,
        OperatorPasswordSet 1,
        OperatorDeleted 1,
        AccessKeyCreated 1,
        AccessKeySwitched 1,
        AccessKeyDeleted 1,
        SpaceCreated 2,
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
        CaDeleted 2,
        DeviceRegistered 2,
        DevicePreRegistered 2,
        DeviceCertificatePinned 2,
        DeviceCertificateReplaced 2,
        DeviceUpdated 1,
        DeviceTagsChanged 1,
        DeviceFrozen 1,
        DeviceUnfrozen 1,
        DeviceFingerprintReset 1,
        DeviceCertificateSwitched 1,
        DeviceDeleted 1,
        DeviceReadmitted 1,
        CertificateRetired 1,
        CertificateReadmitted 1,
        RetiredForgotten 1,
    }
}
