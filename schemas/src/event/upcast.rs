//! Every event shape that was ever released, and what it has become. A row is added here and never taken away.

use super::{latest::Event, v1};
use crate::{catalogue::released, record::RecordEnvelope};

released! {
    Event, RecordEnvelope {
        InstanceCreated 1: v1::InstanceCreated,
        InstanceUpdated 1: v1::InstanceUpdated,
        InstanceDeleted 1: v1::InstanceDeleted,
        SpaceCreated 1: v1::SpaceCreated,
        SpaceRenamed 1: v1::SpaceRenamed,
        SpaceDeleted 1: v1::SpaceDeleted,
        ProductCreated 1: v1::ProductCreated,
        ProductUpdated 1: v1::ProductUpdated,
        ProductDeleted 1: v1::ProductDeleted,
        PolicyCreated 1: v1::PolicyCreated,
        PolicyUpdated 1: v1::PolicyUpdated,
        PolicyDeleted 1: v1::PolicyDeleted,
        PolicyBound 1: v1::PolicyBound,
        PolicyUnbound 1: v1::PolicyUnbound,
        TemplateCreated 1: v1::TemplateCreated,
        TemplateUpdated 1: v1::TemplateUpdated,
        TemplateDeleted 1: v1::TemplateDeleted,
        CaUploaded 1: v1::CaUploaded,
        CaCodeIssued 1: v1::CaCodeIssued,
        CaVerified 1: v1::CaVerified,
        CaConfigured 1: v1::CaConfigured,
        CaDeleted 1: v1::CaDeleted,
        DeviceRegistered 1: v1::DeviceRegistered,
        DevicePreRegistered 1: v1::DevicePreRegistered,
        DeviceCertificatePinned 1: v1::DeviceCertificatePinned,
        DeviceCertificateReplaced 1: v1::DeviceCertificateReplaced,
        DeviceUpdated 1: v1::DeviceUpdated,
        DeviceTagsChanged 1: v1::DeviceTagsChanged,
        DeviceFrozen 1: v1::DeviceFrozen,
        DeviceUnfrozen 1: v1::DeviceUnfrozen,
        DeviceFingerprintReset 1: v1::DeviceFingerprintReset,
        DeviceCertificateSwitched 1: v1::DeviceCertificateSwitched,
        DeviceDeleted 1: v1::DeviceDeleted,
        DeviceReadmitted 1: v1::DeviceReadmitted,
    }
}
