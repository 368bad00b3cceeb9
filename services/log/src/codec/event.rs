//! Events, domain to wire and back. Exhaustive in both directions, each in one match however long: a new event does not
//! compile until it has an arm in both.

use rollcall_domain::{
    certificate::path::ChainCertificate,
    fleet::FleetEvent,
    limits,
    registry::{
        Event,
        event::{CaCertificate, PathProof, PresentedCertificate, RetirementReason},
    },
};
use rollcall_schemas::{
    encoding::Sha256,
    event::latest::{self as wire, Event as Wire},
};

use super::{
    AnyEvent, log, operator,
    part::{self, Read, Violation, base64, boxed, id, optional_id, optional_text, time, timestamp},
    template,
};

pub(super) fn fleet_to_wire(event: &FleetEvent) -> Wire {
    match event {
        FleetEvent::InstanceCreated(it) => wire::InstanceCreated { instance: part::instance_to_wire(it) }.into(),
        FleetEvent::InstanceUpdated(it) => wire::InstanceUpdated { instance: part::instance_to_wire(it) }.into(),
        FleetEvent::InstanceDeleted(instance) => wire::InstanceDeleted { instance: instance.to_string() }.into(),
        FleetEvent::OperatorCreated(new) => wire::OperatorCreated { operator: operator::new_to_wire(new) }.into(),
        FleetEvent::OperatorUpdated { name, role, scope, enabled } => wire::OperatorUpdated {
            operator: name.to_string(),
            role: operator::role_to_wire(*role),
            scope: operator::scope_to_wire(scope),
            enabled: *enabled,
        }
        .into(),
        FleetEvent::OperatorPasswordSet { name, password_hash } => {
            wire::OperatorPasswordSet { operator: name.to_string(), password_hash: operator::hash_to_wire(password_hash) }
                .into()
        }
        FleetEvent::OperatorDeleted(name) => wire::OperatorDeleted { operator: name.to_string() }.into(),
        FleetEvent::AccessKeyCreated { key, operator, project, description } => wire::AccessKeyCreated {
            key: key.to_string(),
            operator: operator.to_string(),
            project: project.to_string(),
            description: description.to_string(),
        }
        .into(),
        FleetEvent::AccessKeySwitched { key, enabled } => {
            wire::AccessKeySwitched { key: key.to_string(), enabled: *enabled }.into()
        }
        FleetEvent::AccessKeyDeleted(key) => wire::AccessKeyDeleted { key: key.to_string() }.into(),
    }
}

pub(super) fn to_wire(event: &Event) -> Wire {
    match event {
        Event::SpaceCreated { space, name, default_space, default_policy } => wire::SpaceCreated {
            space: space.to_string(),
            name: name.to_string(),
            default_space: *default_space,
            default_policy: default_policy.as_ref().map(ToString::to_string),
        }
        .into(),
        Event::SpaceRenamed { space, name } => {
            wire::SpaceRenamed { space: space.to_string(), name: name.to_string() }.into()
        }
        Event::SpaceDeleted { space } => wire::SpaceDeleted { space: space.to_string() }.into(),
        Event::ProductCreated { space, product, details } => wire::ProductCreated {
            space: space.to_string(),
            product: product.to_string(),
            details: part::details_to_wire(details),
        }
        .into(),
        Event::ProductUpdated { space, product, details } => wire::ProductUpdated {
            space: space.to_string(),
            product: product.to_string(),
            details: part::details_to_wire(details),
        }
        .into(),
        Event::ProductDeleted { space, product } => {
            wire::ProductDeleted { space: space.to_string(), product: product.to_string() }.into()
        }
        Event::PolicyCreated { policy, space, name, statements } => wire::PolicyCreated {
            policy: policy.to_string(),
            space: space.to_string(),
            name: name.to_string(),
            statements: part::statements_to_wire(statements),
        }
        .into(),
        Event::PolicyUpdated { policy, name, statements } => wire::PolicyUpdated {
            policy: policy.to_string(),
            name: name.to_string(),
            statements: part::statements_to_wire(statements),
        }
        .into(),
        Event::PolicyDeleted { policy } => wire::PolicyDeleted { policy: policy.to_string() }.into(),
        Event::PolicyBound { policy, target } => {
            wire::PolicyBound { policy: policy.to_string(), target: part::target_to_wire(target) }.into()
        }
        Event::PolicyUnbound { policy, target } => {
            wire::PolicyUnbound { policy: policy.to_string(), target: part::target_to_wire(target) }.into()
        }
        Event::TemplateCreated { template, name, description, body } => wire::TemplateCreated {
            template: template.to_string(),
            name: name.to_string(),
            description: description.to_string(),
            body: template::body_to_wire(body),
        }
        .into(),
        Event::TemplateUpdated { template, description, body } => wire::TemplateUpdated {
            template: template.to_string(),
            description: description.to_string(),
            body: template::body_to_wire(body),
        }
        .into(),
        Event::TemplateDeleted { template } => wire::TemplateDeleted { template: template.to_string() }.into(),
        Event::CaUploaded { ca, space, certificate, code, code_expires_at } => wire::CaUploaded {
            ca: ca.to_string(),
            space: space.to_string(),
            certificate: ca_certificate_to_wire(certificate),
            code: code.to_string(),
            code_expires_at: time(*code_expires_at),
        }
        .into(),
        Event::CaCodeIssued { ca, code, code_expires_at } => {
            wire::CaCodeIssued { ca: ca.to_string(), code: code.to_string(), code_expires_at: time(*code_expires_at) }.into()
        }
        Event::CaVerified { ca } => wire::CaVerified { ca: ca.to_string() }.into(),
        Event::CaConfigured { ca, template, self_registration } => wire::CaConfigured {
            ca: ca.to_string(),
            template: template.as_ref().map(ToString::to_string),
            self_registration: *self_registration,
        }
        .into(),
        Event::CaDeleted { ca, distrust } => wire::CaDeleted { ca: ca.to_string(), distrust: *distrust }.into(),
        Event::DeviceRegistered { profile, certificate, template, template_version } => wire::DeviceRegistered {
            profile: part::profile_to_wire(profile),
            certificate: presented_to_wire(certificate),
            template: template.to_string(),
            template_version: *template_version,
        }
        .into(),
        Event::DevicePreRegistered { profile, credential, description, extension_info } => wire::DevicePreRegistered {
            profile: part::profile_to_wire(profile),
            credential: part::credential_to_wire(credential),
            description: optional_text(description.as_deref()),
            extension_info: optional_text(extension_info.as_deref()),
        }
        .into(),
        Event::DeviceCertificatePinned { device, certificate } => {
            wire::DeviceCertificatePinned { device: device.to_string(), certificate: presented_to_wire(certificate) }.into()
        }
        Event::DeviceCertificateReplaced { device, certificate } => {
            wire::DeviceCertificateReplaced { device: device.to_string(), certificate: presented_to_wire(certificate) }
                .into()
        }
        Event::DeviceUpdated { device, name, description, extension_info } => wire::DeviceUpdated {
            device: device.to_string(),
            name: optional_text(name.as_deref()),
            description: optional_text(description.as_deref()),
            extension_info: optional_text(extension_info.as_deref()),
        }
        .into(),
        Event::DeviceTagsChanged { device, tags } => {
            wire::DeviceTagsChanged { device: device.to_string(), tags: part::tags_to_wire(tags) }.into()
        }
        Event::DeviceFrozen { device } => wire::DeviceFrozen { device: device.to_string() }.into(),
        Event::DeviceUnfrozen { device } => wire::DeviceUnfrozen { device: device.to_string() }.into(),
        Event::DeviceFingerprintReset { device, slot, fingerprint } => wire::DeviceFingerprintReset {
            device: device.to_string(),
            slot: part::slot_to_wire(*slot),
            fingerprint: fingerprint.as_ref().map(part::fingerprint_to_wire),
        }
        .into(),
        Event::DeviceCertificateSwitched { device, fingerprint, active } => wire::DeviceCertificateSwitched {
            device: device.to_string(),
            fingerprint: part::fingerprint_to_wire(fingerprint),
            active: *active,
        }
        .into(),
        Event::DeviceDeleted { device } => wire::DeviceDeleted { device: device.to_string() }.into(),
        Event::DeviceReadmitted { device } => wire::DeviceReadmitted { device: device.to_string() }.into(),
        Event::CertificateRetired { fingerprint, device, reason, not_after } => wire::CertificateRetired {
            fingerprint: part::fingerprint_to_wire(fingerprint),
            device: device.to_string(),
            reason: reason_to_wire(*reason),
            not_after: not_after.map(time),
        }
        .into(),
        Event::CertificateReadmitted { fingerprint, device } => wire::CertificateReadmitted {
            fingerprint: part::fingerprint_to_wire(fingerprint),
            device: device.as_ref().map(ToString::to_string),
        }
        .into(),
        Event::RetiredForgotten { fingerprints } => {
            wire::RetiredForgotten { fingerprints: fingerprints.iter().map(part::fingerprint_to_wire).collect() }.into()
        }
    }
}

pub(super) fn from_wire(event: Wire) -> Read<AnyEvent> {
    let event = match event {
        Wire::LogAdopted(it) => return Ok(AnyEvent::Log(log::adopted(&it))),
        Wire::RecordSkipped(it) => return Ok(AnyEvent::Log(log::skipped(&it))),
        Wire::RegistrarKeyNamed(it) => return Ok(AnyEvent::Log(log::key_named(&it)?)),
        Wire::InstanceCreated(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::InstanceCreated(part::instance_from_wire(it.instance)?)));
        }
        Wire::InstanceUpdated(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::InstanceUpdated(part::instance_from_wire(it.instance)?)));
        }
        Wire::InstanceDeleted(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::InstanceDeleted(id("body.instance", &it.instance)?)));
        }
        Wire::OperatorCreated(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::OperatorCreated(operator::new_from_wire(&it.operator)?)));
        }
        Wire::OperatorUpdated(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::OperatorUpdated {
                name: id("body.operator", &it.operator)?,
                role: operator::role_from_wire(it.role),
                scope: operator::scope_from_wire("body.scope", it.scope)?,
                enabled: it.enabled,
            }));
        }
        Wire::OperatorPasswordSet(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::OperatorPasswordSet {
                name: id("body.operator", &it.operator)?,
                password_hash: operator::hash_from_wire("body.password_hash", &it.password_hash)?,
            }));
        }
        Wire::OperatorDeleted(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::OperatorDeleted(id("body.operator", &it.operator)?)));
        }
        Wire::AccessKeyCreated(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::AccessKeyCreated {
                key: id("body.key", &it.key)?,
                operator: id("body.operator", &it.operator)?,
                project: id("body.project", &it.project)?,
                description: it.description.into(),
            }));
        }
        Wire::AccessKeySwitched(it) => {
            let key = id("body.key", &it.key)?;
            return Ok(AnyEvent::Fleet(FleetEvent::AccessKeySwitched { key, enabled: it.enabled }));
        }
        Wire::AccessKeyDeleted(it) => {
            return Ok(AnyEvent::Fleet(FleetEvent::AccessKeyDeleted(id("body.key", &it.key)?)));
        }
        Wire::SpaceCreated(it) => Event::SpaceCreated {
            space: id("body.space", &it.space)?,
            name: it.name.into(),
            default_space: it.default_space,
            default_policy: optional_id("body.default_policy", it.default_policy.as_ref())?,
        },
        Wire::SpaceRenamed(it) => Event::SpaceRenamed { space: id("body.space", &it.space)?, name: it.name.into() },
        Wire::SpaceDeleted(it) => Event::SpaceDeleted { space: id("body.space", &it.space)? },
        Wire::ProductCreated(it) => Event::ProductCreated {
            space: id("body.space", &it.space)?,
            product: id("body.product", &it.product)?,
            details: part::details_from_wire(it.details),
        },
        Wire::ProductUpdated(it) => Event::ProductUpdated {
            space: id("body.space", &it.space)?,
            product: id("body.product", &it.product)?,
            details: part::details_from_wire(it.details),
        },
        Wire::ProductDeleted(it) => {
            Event::ProductDeleted { space: id("body.space", &it.space)?, product: id("body.product", &it.product)? }
        }
        Wire::PolicyCreated(it) => Event::PolicyCreated {
            policy: id("body.policy", &it.policy)?,
            space: id("body.space", &it.space)?,
            name: it.name.into(),
            statements: part::statements_from_wire(it.statements),
        },
        Wire::PolicyUpdated(it) => Event::PolicyUpdated {
            policy: id("body.policy", &it.policy)?,
            name: it.name.into(),
            statements: part::statements_from_wire(it.statements),
        },
        Wire::PolicyDeleted(it) => Event::PolicyDeleted { policy: id("body.policy", &it.policy)? },
        Wire::PolicyBound(it) => {
            Event::PolicyBound { policy: id("body.policy", &it.policy)?, target: part::target_from_wire(&it.target)? }
        }
        Wire::PolicyUnbound(it) => {
            Event::PolicyUnbound { policy: id("body.policy", &it.policy)?, target: part::target_from_wire(&it.target)? }
        }
        Wire::TemplateCreated(it) => Event::TemplateCreated {
            template: id("body.template", &it.template)?,
            name: it.name.into(),
            description: it.description.into(),
            body: template::body_from_wire(it.body)?,
        },
        Wire::TemplateUpdated(it) => Event::TemplateUpdated {
            template: id("body.template", &it.template)?,
            description: it.description.into(),
            body: template::body_from_wire(it.body)?,
        },
        Wire::TemplateDeleted(it) => Event::TemplateDeleted { template: id("body.template", &it.template)? },
        Wire::CaUploaded(it) => Event::CaUploaded {
            ca: id("body.ca", &it.ca)?,
            space: id("body.space", &it.space)?,
            certificate: ca_certificate_from_wire(it.certificate),
            code: it.code.into(),
            code_expires_at: timestamp(it.code_expires_at),
        },
        Wire::CaCodeIssued(it) => Event::CaCodeIssued {
            ca: id("body.ca", &it.ca)?,
            code: it.code.into(),
            code_expires_at: timestamp(it.code_expires_at),
        },
        Wire::CaVerified(it) => Event::CaVerified { ca: id("body.ca", &it.ca)? },
        Wire::CaConfigured(it) => Event::CaConfigured {
            ca: id("body.ca", &it.ca)?,
            template: optional_id("body.template", it.template.as_ref())?,
            self_registration: it.self_registration,
        },
        Wire::CaDeleted(it) => Event::CaDeleted { ca: id("body.ca", &it.ca)?, distrust: it.distrust },
        Wire::DeviceRegistered(it) => Event::DeviceRegistered {
            profile: part::profile_from_wire(it.profile)?,
            certificate: presented_from_wire(it.certificate)?,
            template: id("body.template", &it.template)?,
            template_version: it.template_version,
        },
        Wire::DevicePreRegistered(it) => Event::DevicePreRegistered {
            profile: part::profile_from_wire(it.profile)?,
            credential: part::credential_from_wire(it.credential),
            description: boxed(it.description),
            extension_info: boxed(it.extension_info),
        },
        Wire::DeviceCertificatePinned(it) => Event::DeviceCertificatePinned {
            device: id("body.device", &it.device)?,
            certificate: presented_from_wire(it.certificate)?,
        },
        Wire::DeviceCertificateReplaced(it) => Event::DeviceCertificateReplaced {
            device: id("body.device", &it.device)?,
            certificate: presented_from_wire(it.certificate)?,
        },
        Wire::DeviceUpdated(it) => Event::DeviceUpdated {
            device: id("body.device", &it.device)?,
            name: boxed(it.name),
            description: boxed(it.description),
            extension_info: boxed(it.extension_info),
        },
        Wire::DeviceTagsChanged(it) => {
            Event::DeviceTagsChanged { device: id("body.device", &it.device)?, tags: part::tags_from_wire(it.tags) }
        }
        Wire::DeviceFrozen(it) => Event::DeviceFrozen { device: id("body.device", &it.device)? },
        Wire::DeviceUnfrozen(it) => Event::DeviceUnfrozen { device: id("body.device", &it.device)? },
        Wire::DeviceFingerprintReset(it) => Event::DeviceFingerprintReset {
            device: id("body.device", &it.device)?,
            slot: part::slot_from_wire(it.slot),
            fingerprint: it.fingerprint.map(part::fingerprint_from_wire),
        },
        Wire::DeviceCertificateSwitched(it) => Event::DeviceCertificateSwitched {
            device: id("body.device", &it.device)?,
            fingerprint: part::fingerprint_from_wire(it.fingerprint),
            active: it.active,
        },
        Wire::DeviceDeleted(it) => Event::DeviceDeleted { device: id("body.device", &it.device)? },
        Wire::DeviceReadmitted(it) => Event::DeviceReadmitted { device: id("body.device", &it.device)? },
        Wire::CertificateRetired(it) => Event::CertificateRetired {
            fingerprint: part::fingerprint_from_wire(it.fingerprint),
            device: id("body.device", &it.device)?,
            reason: reason_from_wire(it.reason),
            not_after: it.not_after.map(timestamp),
        },
        Wire::CertificateReadmitted(it) => Event::CertificateReadmitted {
            fingerprint: part::fingerprint_from_wire(it.fingerprint),
            device: optional_id("body.device", it.device.as_ref())?,
        },
        Wire::RetiredForgotten(it) => {
            let (count, max) = (it.fingerprints.len(), limits::RETIRED_FORGOTTEN_MAX);
            if !(1..=max).contains(&count) {
                return Err(Violation::new("body.fingerprints", format!("{count} fingerprints: 1 to {max} are allowed")));
            }
            Event::RetiredForgotten { fingerprints: it.fingerprints.into_iter().map(part::fingerprint_from_wire).collect() }
        }
    };
    Ok(AnyEvent::Registry(event))
}

fn presented_to_wire(certificate: &PresentedCertificate) -> wire::PresentedCertificate {
    wire::PresentedCertificate {
        sha256: Sha256(certificate.sha256),
        der: base64(&certificate.der),
        not_before: time(certificate.not_before),
        not_after: certificate.proof.as_ref().map(|proof| time(proof.not_after)),
        ca: certificate.ca.to_string(),
        ca_name_and_key_sha256: certificate.proof.as_ref().map(|proof| Sha256(proof.ca_name_and_key_sha256)),
        chain: certificate.proof.iter().flat_map(|proof| &proof.chain).map(chain_certificate_to_wire).collect(),
        prover: certificate.proof.as_ref().map(|proof| proof.prover),
    }
}

fn presented_from_wire(certificate: wire::PresentedCertificate) -> Read<PresentedCertificate> {
    let wire::PresentedCertificate { not_after, ca_name_and_key_sha256, chain, prover, .. } = &certificate;
    let proof = match (not_after, ca_name_and_key_sha256, prover, &**chain) {
        (Some(not_after), Some(ca), Some(prover), [_, ..]) => Some(PathProof {
            not_after: timestamp(*not_after),
            ca_name_and_key_sha256: ca.0,
            chain: chain.iter().map(chain_certificate_from_wire).collect(),
            prover: *prover,
        }),
        (None, None, None, []) => None,
        _ => {
            let rule = "not_after, ca_name_and_key_sha256, chain and prover are there together, or none of them is";
            return Err(Violation::new("body.certificate", rule));
        }
    };
    Ok(PresentedCertificate {
        sha256: certificate.sha256.0,
        der: certificate.der.0.into(),
        not_before: timestamp(certificate.not_before),
        ca: id("body.certificate.ca", &certificate.ca)?,
        proof,
    })
}

fn chain_certificate_to_wire(certificate: &ChainCertificate) -> wire::ChainCertificate {
    wire::ChainCertificate {
        name_and_key_sha256: Sha256(certificate.name_and_key_sha256),
        not_before: time(certificate.not_before),
        not_after: time(certificate.not_after),
    }
}

fn chain_certificate_from_wire(certificate: &wire::ChainCertificate) -> ChainCertificate {
    ChainCertificate {
        name_and_key_sha256: certificate.name_and_key_sha256.0,
        not_before: timestamp(certificate.not_before),
        not_after: timestamp(certificate.not_after),
    }
}

fn reason_to_wire(reason: RetirementReason) -> wire::RetirementReason {
    match reason {
        RetirementReason::DeviceDeleted => wire::RetirementReason::DeviceDeleted,
        RetirementReason::CertificateDeleted => wire::RetirementReason::CertificateDeleted,
        RetirementReason::Replaced => wire::RetirementReason::Replaced,
    }
}

fn reason_from_wire(reason: wire::RetirementReason) -> RetirementReason {
    match reason {
        wire::RetirementReason::DeviceDeleted => RetirementReason::DeviceDeleted,
        wire::RetirementReason::CertificateDeleted => RetirementReason::CertificateDeleted,
        wire::RetirementReason::Replaced => RetirementReason::Replaced,
    }
}

fn ca_certificate_to_wire(certificate: &CaCertificate) -> wire::CaCertificate {
    wire::CaCertificate {
        der: base64(&certificate.der),
        cn_name: certificate.cn_name.to_string(),
        sha256: Sha256(certificate.sha256),
        name_and_key_sha256: Sha256(certificate.name_and_key_sha256),
        not_before: time(certificate.not_before),
        not_after: time(certificate.not_after),
    }
}

fn ca_certificate_from_wire(certificate: wire::CaCertificate) -> CaCertificate {
    CaCertificate {
        der: certificate.der.0.into(),
        cn_name: certificate.cn_name.into(),
        sha256: certificate.sha256.0,
        name_and_key_sha256: certificate.name_and_key_sha256.0,
        not_before: timestamp(certificate.not_before),
        not_after: timestamp(certificate.not_after),
    }
}
