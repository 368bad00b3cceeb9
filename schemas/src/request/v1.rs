//! Version 1 of every request, frozen. Parts that events have too are those of [`crate::event::v1`].

mod ca;
mod configuration;
mod connect;
mod device;
mod fleet;
mod operator;
mod template_draft;

pub use ca::{
    ConfigureCa, CreateTemplate, DeleteCa, DeleteTemplate, IssueCaCode, TemplateChange, UpdateTemplate, UploadCa, VerifyCa,
};
pub use configuration::{
    BindPolicy, CreatePolicy, CreateProduct, CreateSpace, DeletePolicy, DeleteProduct, DeleteSpace, RenameSpace,
    UnbindPolicy, UpdatePolicy, UpdateProduct,
};
pub use connect::CertificateConnect;
pub use device::{
    DeleteCertificate, DeleteDevice, FreezeDevice, PreRegisterDevice, ReadmitCertificate, ReadmitDevice, ResetFingerprint,
    SwitchCertificate, TagDevice, UnfreezeDevice, UntagDevice, UpdateDevice,
};
pub use fleet::{CreateInstance, DeleteInstance, UpdateInstance};
pub use operator::{
    CreateAccessKey, CreateOperator, DeleteAccessKey, DeleteOperator, SetOperatorPassword, SwitchAccessKey, UpdateOperator,
};
pub use template_draft::{DeviceDraft, ParameterDraft, ParameterDrafts, PolicyDraft, ResourcesDraft, TemplateDraft};
