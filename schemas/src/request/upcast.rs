//! Every request shape that was ever released, and what it has become: a queue may hold requests of an older build.

use super::{RequestEnvelope, latest::Ask, v1};
use crate::catalogue::released;

released! {
    Ask, RequestEnvelope {
        CertificateConnect 1: v1::CertificateConnect,
        CreateInstance 1: v1::CreateInstance,
        UpdateInstance 1: v1::UpdateInstance,
        DeleteInstance 1: v1::DeleteInstance,
        CreateOperator 1: v1::CreateOperator,
        UpdateOperator 1: v1::UpdateOperator,
        SetOperatorPassword 1: v1::SetOperatorPassword,
        DeleteOperator 1: v1::DeleteOperator,
        CreateAccessKey 1: v1::CreateAccessKey,
        SwitchAccessKey 1: v1::SwitchAccessKey,
        DeleteAccessKey 1: v1::DeleteAccessKey,
        CreateSpace 1: v1::CreateSpace,
        RenameSpace 1: v1::RenameSpace,
        DeleteSpace 1: v1::DeleteSpace,
        CreateProduct 1: v1::CreateProduct,
        UpdateProduct 1: v1::UpdateProduct,
        DeleteProduct 1: v1::DeleteProduct,
        CreatePolicy 1: v1::CreatePolicy,
        UpdatePolicy 1: v1::UpdatePolicy,
        DeletePolicy 1: v1::DeletePolicy,
        BindPolicy 1: v1::BindPolicy,
        UnbindPolicy 1: v1::UnbindPolicy,
        CreateTemplate 1: v1::CreateTemplate,
        UpdateTemplate 1: v1::UpdateTemplate,
        DeleteTemplate 1: v1::DeleteTemplate,
        UploadCa 1: v1::UploadCa,
        IssueCaCode 1: v1::IssueCaCode,
        VerifyCa 1: v1::VerifyCa,
        ConfigureCa 1: v1::ConfigureCa,
        DeleteCa 1: v1::DeleteCa,
        PreRegisterDevice 1: v1::PreRegisterDevice,
        UpdateDevice 1: v1::UpdateDevice,
        TagDevice 1: v1::TagDevice,
        UntagDevice 1: v1::UntagDevice,
        FreezeDevice 1: v1::FreezeDevice,
        UnfreezeDevice 1: v1::UnfreezeDevice,
        ResetFingerprint 1: v1::ResetFingerprint,
        SwitchCertificate 1: v1::SwitchCertificate,
        DeleteDevice 1: v1::DeleteDevice,
        ReadmitDevice 1: v1::ReadmitDevice,
    }
}
