//! The latest version of every request: what other code imports.

use crate::catalogue::catalogue;

pub use super::v1::{
    BindPolicy, CertificateConnect, ConfigureCa, CreatePolicy, CreateProduct, CreateTemplate, DeleteCertificate,
    DeleteDevice, DeleteInstance, DeletePolicy, DeleteProduct, DeleteSpace, DeleteTemplate, FreezeDevice, IssueCaCode,
    ReadmitCertificate, ReadmitDevice, RenameSpace, ResetFingerprint, SwitchCertificate, TagDevice, UnbindPolicy,
    UnfreezeDevice, UntagDevice, UpdateDevice, UpdatePolicy, UpdateProduct, UpdateTemplate, UploadCa, VerifyCa,
};
pub use super::v1::{
    CreateAccessKey, CreateOperator, DeleteAccessKey, DeleteOperator, SetOperatorPassword, SwitchAccessKey, UpdateOperator,
};
pub use super::v1::{
    DeviceDraft, ParameterDraft, ParameterDrafts, PolicyDraft, ResourcesDraft, TemplateChange, TemplateDraft,
};
pub use super::v2::{CreateInstance, CreateSpace, DeleteCa, Distrust, InstanceDraft, PreRegisterDevice, UpdateInstance};

catalogue! {
    /// What is asked, in its latest version.
    Ask {
        CertificateConnect 1,
        CreateInstance 2,
        UpdateInstance 2,
        DeleteInstance 1,
        CreateOperator 1,
        UpdateOperator 1,
        SetOperatorPassword 1,
        DeleteOperator 1,
        CreateAccessKey 1,
        SwitchAccessKey 1,
        DeleteAccessKey 1,
        CreateSpace 2,
        RenameSpace 1,
        DeleteSpace 1,
        CreateProduct 1,
        UpdateProduct 1,
        DeleteProduct 1,
        CreatePolicy 1,
        UpdatePolicy 1,
        DeletePolicy 1,
        BindPolicy 1,
        UnbindPolicy 1,
        CreateTemplate 1,
        UpdateTemplate 1,
        DeleteTemplate 1,
        UploadCa 1,
        IssueCaCode 1,
        VerifyCa 1,
        ConfigureCa 1,
        DeleteCa 2,
        PreRegisterDevice 2,
        UpdateDevice 1,
        TagDevice 1,
        UntagDevice 1,
        FreezeDevice 1,
        UnfreezeDevice 1,
        ResetFingerprint 1,
        SwitchCertificate 1,
        DeleteCertificate 1,
        ReadmitCertificate 1,
        DeleteDevice 1,
        ReadmitDevice 1,
    }
}
