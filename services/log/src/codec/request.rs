//! Requests, domain to wire and back. Exhaustive in both directions, each in one match however long: a new command does
//! not compile until it has an arm in both.

use rollcall_domain::{
    fleet::FleetCommand,
    registry::{
        Command, Request, RequestBody,
        command::{Distrust, TemplateChange},
    },
};
use rollcall_schemas::request::{
    Request as WireRequest,
    latest::{self as wire, Ask},
};

use super::{
    AnyRequest, QueuedRequest, operator,
    part::{self, Read, base64, boxed, id, optional_id, optional_text, time, timestamp},
    template,
};

pub(super) fn to_wire(queued: &QueuedRequest) -> WireRequest {
    let (id, actor, ask) = match &queued.request {
        AnyRequest::Fleet { id, actor, command } => (id, actor, fleet_to_wire(command)),
        AnyRequest::Registry(request) => (&request.id, &request.actor, body_to_wire(&request.body)),
    };
    WireRequest {
        id: id.to_string(),
        submitted_at: time(queued.submitted_at),
        actor: part::actor_to_wire(actor),
        traceparent: part::traceparent_to_wire(queued.traceparent.as_deref()),
        ask,
    }
}

pub(super) fn from_wire(request: WireRequest) -> Read<QueuedRequest> {
    let (request_id, actor) = (id("id", &request.id)?, part::actor_from_wire(request.actor)?);
    Ok(QueuedRequest {
        submitted_at: timestamp(request.submitted_at),
        traceparent: part::traceparent_from_wire(request.traceparent)?,
        request: match unaddressed(request.ask)? {
            Unaddressed::Fleet(command) => AnyRequest::Fleet { id: request_id, actor, command },
            Unaddressed::Registry(body) => AnyRequest::Registry(Request { id: request_id, actor, body }),
        },
    })
}

/// A request before its id and actor are put to it.
enum Unaddressed {
    Fleet(FleetCommand),
    Registry(RequestBody),
}

fn fleet_to_wire(command: &FleetCommand) -> Ask {
    match command {
        FleetCommand::CreateInstance(it) => wire::CreateInstance { instance: part::draft_to_wire(it) }.into(),
        FleetCommand::UpdateInstance(it) => wire::UpdateInstance { instance: part::draft_to_wire(it) }.into(),
        FleetCommand::DeleteInstance(instance) => wire::DeleteInstance { instance: instance.to_string() }.into(),
        FleetCommand::CreateOperator(new) => wire::CreateOperator { operator: operator::new_to_wire(new) }.into(),
        FleetCommand::UpdateOperator { name, role, scope, enabled } => wire::UpdateOperator {
            operator: name.to_string(),
            role: role.map(operator::role_to_wire),
            scope: scope.as_ref().map(operator::scope_to_wire),
            enabled: *enabled,
        }
        .into(),
        FleetCommand::SetOperatorPassword { name, password_hash } => {
            wire::SetOperatorPassword { operator: name.to_string(), password_hash: operator::hash_to_wire(password_hash) }
                .into()
        }
        FleetCommand::DeleteOperator(name) => wire::DeleteOperator { operator: name.to_string() }.into(),
        FleetCommand::CreateAccessKey { key, operator, description } => wire::CreateAccessKey {
            key: key.to_string(),
            operator: operator.to_string(),
            description: description.to_string(),
        }
        .into(),
        FleetCommand::SwitchAccessKey { key, enabled } => {
            wire::SwitchAccessKey { key: key.to_string(), enabled: *enabled }.into()
        }
        FleetCommand::DeleteAccessKey(key) => wire::DeleteAccessKey { key: key.to_string() }.into(),
    }
}

fn body_to_wire(body: &RequestBody) -> Ask {
    match body {
        RequestBody::CertificateConnect { chain, claimed } => wire::CertificateConnect {
            chain: chain.iter().map(|der| base64(der)).collect(),
            claimed: claimed.as_ref().map(ToString::to_string),
        }
        .into(),
        RequestBody::Command(command) => command_to_wire(command),
    }
}

fn command_to_wire(command: &Command) -> Ask {
    match command {
        Command::CreateSpace { space, name, default_policy } => wire::CreateSpace {
            space: space.to_string(),
            name: name.to_string(),
            default_policy: default_policy.as_ref().map(ToString::to_string),
        }
        .into(),
        Command::RenameSpace { space, name } => {
            wire::RenameSpace { space: space.to_string(), name: name.to_string() }.into()
        }
        Command::DeleteSpace { space } => wire::DeleteSpace { space: space.to_string() }.into(),
        Command::CreateProduct { space, product, details } => wire::CreateProduct {
            space: space.to_string(),
            product: product.to_string(),
            details: part::details_to_wire(details),
        }
        .into(),
        Command::UpdateProduct { space, product, details } => wire::UpdateProduct {
            space: space.to_string(),
            product: product.to_string(),
            details: part::details_to_wire(details),
        }
        .into(),
        Command::DeleteProduct { space, product } => {
            wire::DeleteProduct { space: space.to_string(), product: product.to_string() }.into()
        }
        Command::CreatePolicy { policy, space, name, statements } => wire::CreatePolicy {
            policy: policy.to_string(),
            space: space.to_string(),
            name: name.to_string(),
            statements: part::statements_to_wire(statements),
        }
        .into(),
        Command::UpdatePolicy { policy, name, statements } => wire::UpdatePolicy {
            policy: policy.to_string(),
            name: optional_text(name.as_deref()),
            statements: statements.as_deref().map(part::statements_to_wire),
        }
        .into(),
        Command::DeletePolicy { policy } => wire::DeletePolicy { policy: policy.to_string() }.into(),
        Command::BindPolicy { policy, target } => {
            wire::BindPolicy { policy: policy.to_string(), target: part::target_to_wire(target) }.into()
        }
        Command::UnbindPolicy { policy, target } => {
            wire::UnbindPolicy { policy: policy.to_string(), target: part::target_to_wire(target) }.into()
        }
        Command::CreateTemplate { template, name, description, body } => wire::CreateTemplate {
            template: template.to_string(),
            name: name.to_string(),
            description: description.to_string(),
            body: template::draft_to_wire(body),
        }
        .into(),
        Command::UpdateTemplate { template, description, body } => wire::UpdateTemplate {
            template: template.to_string(),
            description: optional_text(description.as_deref()),
            body: body.as_ref().map(template::draft_to_wire),
        }
        .into(),
        Command::DeleteTemplate { template } => wire::DeleteTemplate { template: template.to_string() }.into(),
        Command::UploadCa { ca, space, der } => {
            wire::UploadCa { ca: ca.to_string(), space: space.to_string(), der: base64(der) }.into()
        }
        Command::IssueCaCode { ca } => wire::IssueCaCode { ca: ca.to_string() }.into(),
        Command::VerifyCa { ca, proof } => wire::VerifyCa { ca: ca.to_string(), proof: base64(proof) }.into(),
        Command::ConfigureCa { ca, template, self_registration } => wire::ConfigureCa {
            ca: ca.to_string(),
            template: template_change_to_wire(template),
            self_registration: *self_registration,
        }
        .into(),
        Command::DeleteCa { ca, distrust } => {
            wire::DeleteCa { ca: ca.to_string(), distrust: distrust_to_wire(*distrust) }.into()
        }
        Command::PreRegisterDevice { profile, credential, description, extension_info } => wire::PreRegisterDevice {
            profile: part::profile_to_wire(profile),
            credential: part::credential_to_wire(credential),
            description: optional_text(description.as_deref()),
            extension_info: optional_text(extension_info.as_deref()),
        }
        .into(),
        Command::UpdateDevice { device, name, description, extension_info } => wire::UpdateDevice {
            device: device.to_string(),
            name: optional_text(name.as_deref()),
            description: optional_text(description.as_deref()),
            extension_info: optional_text(extension_info.as_deref()),
        }
        .into(),
        Command::TagDevice { device, tags } => {
            wire::TagDevice { device: device.to_string(), tags: part::tags_to_wire(tags) }.into()
        }
        Command::UntagDevice { device, keys } => {
            wire::UntagDevice { device: device.to_string(), keys: part::texts(keys) }.into()
        }
        Command::FreezeDevice { device } => wire::FreezeDevice { device: device.to_string() }.into(),
        Command::UnfreezeDevice { device } => wire::UnfreezeDevice { device: device.to_string() }.into(),
        Command::ResetFingerprint { device, slot, fingerprint } => wire::ResetFingerprint {
            device: device.to_string(),
            slot: part::slot_to_wire(*slot),
            fingerprint: fingerprint.as_ref().map(part::fingerprint_to_wire),
        }
        .into(),
        Command::SwitchCertificate { device, fingerprint, active } => wire::SwitchCertificate {
            device: device.to_string(),
            fingerprint: part::fingerprint_to_wire(fingerprint),
            active: *active,
        }
        .into(),
        Command::DeleteDevice { device } => wire::DeleteDevice { device: device.to_string() }.into(),
        Command::DeleteCertificate { device, fingerprint } => {
            wire::DeleteCertificate { device: device.to_string(), fingerprint: part::fingerprint_to_wire(fingerprint) }
                .into()
        }
        Command::ReadmitCertificate { fingerprint, device } => wire::ReadmitCertificate {
            fingerprint: part::fingerprint_to_wire(fingerprint),
            device: device.as_ref().map(ToString::to_string),
        }
        .into(),
        Command::ReadmitDevice { device } => wire::ReadmitDevice { device: device.to_string() }.into(),
    }
}

fn unaddressed(ask: Ask) -> Read<Unaddressed> {
    let command = match ask {
        Ask::CertificateConnect(it) => {
            return Ok(Unaddressed::Registry(RequestBody::CertificateConnect {
                chain: it.chain.into_iter().map(|der| der.0.into()).collect(),
                claimed: optional_id("body.claimed", it.claimed.as_ref())?,
            }));
        }
        Ask::CreateInstance(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::CreateInstance(part::draft_from_wire(it.instance)?)));
        }
        Ask::UpdateInstance(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::UpdateInstance(part::draft_from_wire(it.instance)?)));
        }
        Ask::DeleteInstance(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::DeleteInstance(id("body.instance", &it.instance)?)));
        }
        Ask::CreateOperator(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::CreateOperator(operator::new_from_wire(&it.operator)?)));
        }
        Ask::UpdateOperator(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::UpdateOperator {
                name: id("body.operator", &it.operator)?,
                role: it.role.map(operator::role_from_wire),
                scope: it.scope.map(|scope| operator::scope_from_wire("body.scope", scope)).transpose()?,
                enabled: it.enabled,
            }));
        }
        Ask::SetOperatorPassword(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::SetOperatorPassword {
                name: id("body.operator", &it.operator)?,
                password_hash: operator::hash_from_wire("body.password_hash", &it.password_hash)?,
            }));
        }
        Ask::DeleteOperator(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::DeleteOperator(id("body.operator", &it.operator)?)));
        }
        Ask::CreateAccessKey(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::CreateAccessKey {
                key: id("body.key", &it.key)?,
                operator: id("body.operator", &it.operator)?,
                description: it.description.into(),
            }));
        }
        Ask::SwitchAccessKey(it) => {
            let key = id("body.key", &it.key)?;
            return Ok(Unaddressed::Fleet(FleetCommand::SwitchAccessKey { key, enabled: it.enabled }));
        }
        Ask::DeleteAccessKey(it) => {
            return Ok(Unaddressed::Fleet(FleetCommand::DeleteAccessKey(id("body.key", &it.key)?)));
        }
        Ask::CreateSpace(it) => Command::CreateSpace {
            space: id("body.space", &it.space)?,
            name: it.name.into(),
            default_policy: optional_id("body.default_policy", it.default_policy.as_ref())?,
        },
        Ask::RenameSpace(it) => Command::RenameSpace { space: id("body.space", &it.space)?, name: it.name.into() },
        Ask::DeleteSpace(it) => Command::DeleteSpace { space: id("body.space", &it.space)? },
        Ask::CreateProduct(it) => Command::CreateProduct {
            space: id("body.space", &it.space)?,
            product: id("body.product", &it.product)?,
            details: part::details_from_wire(it.details),
        },
        Ask::UpdateProduct(it) => Command::UpdateProduct {
            space: id("body.space", &it.space)?,
            product: id("body.product", &it.product)?,
            details: part::details_from_wire(it.details),
        },
        Ask::DeleteProduct(it) => {
            Command::DeleteProduct { space: id("body.space", &it.space)?, product: id("body.product", &it.product)? }
        }
        Ask::CreatePolicy(it) => Command::CreatePolicy {
            policy: id("body.policy", &it.policy)?,
            space: id("body.space", &it.space)?,
            name: it.name.into(),
            statements: part::statements_from_wire(it.statements),
        },
        Ask::UpdatePolicy(it) => Command::UpdatePolicy {
            policy: id("body.policy", &it.policy)?,
            name: boxed(it.name),
            statements: it.statements.map(part::statements_from_wire),
        },
        Ask::DeletePolicy(it) => Command::DeletePolicy { policy: id("body.policy", &it.policy)? },
        Ask::BindPolicy(it) => {
            Command::BindPolicy { policy: id("body.policy", &it.policy)?, target: part::target_from_wire(&it.target)? }
        }
        Ask::UnbindPolicy(it) => {
            Command::UnbindPolicy { policy: id("body.policy", &it.policy)?, target: part::target_from_wire(&it.target)? }
        }
        Ask::CreateTemplate(it) => Command::CreateTemplate {
            template: id("body.template", &it.template)?,
            name: it.name.into(),
            description: it.description.into(),
            body: template::draft_from_wire(it.body),
        },
        Ask::UpdateTemplate(it) => Command::UpdateTemplate {
            template: id("body.template", &it.template)?,
            description: boxed(it.description),
            body: it.body.map(template::draft_from_wire),
        },
        Ask::DeleteTemplate(it) => Command::DeleteTemplate { template: id("body.template", &it.template)? },
        Ask::UploadCa(it) => {
            Command::UploadCa { ca: id("body.ca", &it.ca)?, space: id("body.space", &it.space)?, der: it.der.0.into() }
        }
        Ask::IssueCaCode(it) => Command::IssueCaCode { ca: id("body.ca", &it.ca)? },
        Ask::VerifyCa(it) => Command::VerifyCa { ca: id("body.ca", &it.ca)?, proof: it.proof.0.into() },
        Ask::ConfigureCa(it) => Command::ConfigureCa {
            ca: id("body.ca", &it.ca)?,
            template: template_change_from_wire(&it.template)?,
            self_registration: it.self_registration,
        },
        Ask::DeleteCa(it) => Command::DeleteCa { ca: id("body.ca", &it.ca)?, distrust: distrust_from_wire(it.distrust) },
        Ask::PreRegisterDevice(it) => Command::PreRegisterDevice {
            profile: part::profile_from_wire(it.profile)?,
            credential: part::credential_from_wire(it.credential),
            description: boxed(it.description),
            extension_info: boxed(it.extension_info),
        },
        Ask::UpdateDevice(it) => Command::UpdateDevice {
            device: id("body.device", &it.device)?,
            name: boxed(it.name),
            description: boxed(it.description),
            extension_info: boxed(it.extension_info),
        },
        Ask::TagDevice(it) => {
            Command::TagDevice { device: id("body.device", &it.device)?, tags: part::tags_from_wire(it.tags) }
        }
        Ask::UntagDevice(it) => Command::UntagDevice {
            device: id("body.device", &it.device)?,
            keys: it.keys.into_iter().map(Into::into).collect(),
        },
        Ask::FreezeDevice(it) => Command::FreezeDevice { device: id("body.device", &it.device)? },
        Ask::UnfreezeDevice(it) => Command::UnfreezeDevice { device: id("body.device", &it.device)? },
        Ask::ResetFingerprint(it) => Command::ResetFingerprint {
            device: id("body.device", &it.device)?,
            slot: part::slot_from_wire(it.slot),
            fingerprint: it.fingerprint.map(part::fingerprint_from_wire),
        },
        Ask::SwitchCertificate(it) => Command::SwitchCertificate {
            device: id("body.device", &it.device)?,
            fingerprint: part::fingerprint_from_wire(it.fingerprint),
            active: it.active,
        },
        Ask::DeleteDevice(it) => Command::DeleteDevice { device: id("body.device", &it.device)? },
        Ask::DeleteCertificate(it) => Command::DeleteCertificate {
            device: id("body.device", &it.device)?,
            fingerprint: part::fingerprint_from_wire(it.fingerprint),
        },
        Ask::ReadmitCertificate(it) => Command::ReadmitCertificate {
            fingerprint: part::fingerprint_from_wire(it.fingerprint),
            device: it.device.map(|device| id("body.device", &device)).transpose()?,
        },
        Ask::ReadmitDevice(it) => Command::ReadmitDevice { device: id("body.device", &it.device)? },
    };
    Ok(Unaddressed::Registry(RequestBody::Command(command)))
}

fn distrust_to_wire(distrust: Distrust) -> wire::Distrust {
    match distrust {
        Distrust::No => wire::Distrust::No,
        Distrust::Yes => wire::Distrust::Yes,
        Distrust::UnlessRenewed => wire::Distrust::UnlessRenewed,
    }
}

fn distrust_from_wire(distrust: wire::Distrust) -> Distrust {
    match distrust {
        wire::Distrust::No => Distrust::No,
        wire::Distrust::Yes => Distrust::Yes,
        wire::Distrust::UnlessRenewed => Distrust::UnlessRenewed,
    }
}

fn template_change_to_wire(change: &TemplateChange) -> wire::TemplateChange {
    match change {
        TemplateChange::Keep => wire::TemplateChange::Keep,
        TemplateChange::Bind(template) => wire::TemplateChange::Bind(template.to_string()),
        TemplateChange::Unbind => wire::TemplateChange::Unbind,
    }
}

fn template_change_from_wire(change: &wire::TemplateChange) -> Read<TemplateChange> {
    Ok(match change {
        wire::TemplateChange::Keep => TemplateChange::Keep,
        wire::TemplateChange::Bind(template) => TemplateChange::Bind(id("body.template.bind", template)?),
        wire::TemplateChange::Unbind => TemplateChange::Unbind,
    })
}
