//! Version 1 of every event, frozen. Fields that are absent mean "none"; lists that are absent are empty.

mod ca;
mod certificate;
mod device;
mod fleet;
mod log;
mod operator;
mod policy;
mod product;
mod space;
mod template;

pub use ca::{CaCertificate, CaCodeIssued, CaConfigured, CaDeleted, CaUploaded, CaVerified};
pub use certificate::{CertificateReadmitted, CertificateRetired, RetiredForgotten, RetirementReason};
pub use device::{
    CertificateSlot, DeclaredCredential, DeviceCertificatePinned, DeviceCertificateReplaced, DeviceCertificateSwitched,
    DeviceDeleted, DeviceFingerprintReset, DeviceFrozen, DevicePreRegistered, DeviceProfile, DeviceReadmitted,
    DeviceRegistered, DeviceTagsChanged, DeviceUnfrozen, DeviceUpdated, PresentedCertificate, Tag,
};
pub use fleet::{Edition, Instance, InstanceCreated, InstanceDeleted, InstanceUpdated};
pub use log::{LogAdopted, RegistrarKeyNamed};
pub use operator::{
    AccessKeyCreated, AccessKeyDeleted, AccessKeySwitched, NewOperator, OperatorCreated, OperatorDeleted,
    OperatorPasswordSet, OperatorUpdated, PasswordHash, Role, Scope,
};
pub use policy::{
    Action, Effect, PolicyBound, PolicyCreated, PolicyDeleted, PolicyTarget, PolicyUnbound, PolicyUpdated, Statement,
};
pub use product::{ProductCreated, ProductDeleted, ProductDetails, ProductUpdated};
pub use space::{SpaceCreated, SpaceDeleted, SpaceRenamed};
pub use template::{
    OnCertificateChange, Parameter, ParameterKind, Reference, StaticOrReference, TemplateBody, TemplateCreated,
    TemplateDeleted, TemplateDevice, TemplatePolicy, TemplateResources, TemplateTag, TemplateUpdated,
};
