//! Any domain value that the domain itself could hold: ids and names with every character class, every variant.

use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
};
use rollcall_domain::{
    certificate::{SubjectAttribute, path::ChainCertificate},
    fleet::{Edition, FleetCommand, FleetEvent, Instance, InstanceDraft, NewOperator, PasswordHash, Role, Scope},
    ids::{Fingerprint, IdError, Incarnation, InstanceId, LogId, Position, RequestId},
    policy::{Action, Effect, Statement},
    registry::{
        Actor, Command, Event, ProductDetails, Request, RequestBody, Slot,
        command::{Distrust, TemplateChange},
        event::{
            CaCertificate, DeclaredCredential, DeviceProfile, PathProof, PolicyTarget, PresentedCertificate,
            RetirementReason,
        },
    },
    template::{DraftValue, OnCertificateChange, Tag, TemplateBody, TemplateDraft, Value},
    time::Timestamp,
};

use crate::{
    codec::{AnyEvent, AnyRequest, Attempt, AttemptAttribution, LogEvent, QueuedRequest, Record, RejectedRuling, Ruling},
    signing::PublicKey,
};

fn id<T: std::str::FromStr<Err = IdError> + std::fmt::Debug + Clone>() -> impl Strategy<Value = T> + Clone {
    "[A-Za-z0-9_-]{1,36}".prop_map(|text| text.parse().expect("an id"))
}

/// Anything, quotes, controls and other planes included: what is data must come back as it went.
fn text() -> impl Strategy<Value = Box<str>> + Clone {
    prop_oneof![3 => ".{0,24}", 1 => any::<String>()].prop_map(Into::into)
}

fn optional() -> impl Strategy<Value = Option<Box<str>>> + Clone {
    option::of(text())
}

fn der() -> impl Strategy<Value = Box<[u8]>> + Clone {
    vec(any::<u8>(), 0..64).prop_map(Into::into)
}

/// The years 0000 to 9999, which is all that a certificate and RFC 3339 can say.
fn at() -> impl Strategy<Value = Timestamp> + Clone {
    (-62_167_219_200_000i64..=253_402_300_799_999).prop_map(Timestamp::from_unix_ms)
}

fn fingerprint() -> impl Strategy<Value = Fingerprint> + Clone {
    prop_oneof![any::<[u8; 32]>().prop_map(Fingerprint::Sha256), any::<[u8; 20]>().prop_map(Fingerprint::Sha1)]
}

fn tags() -> impl Strategy<Value = Vec<Tag>> + Clone {
    vec((text(), text()).prop_map(|(key, value)| Tag { key, value }), 0..3)
}

fn slot() -> impl Strategy<Value = Slot> + Clone {
    prop_oneof![Just(Slot::Primary), Just(Slot::Secondary)]
}

fn details() -> impl Strategy<Value = ProductDetails> + Clone {
    ((text(), text(), text(), text()), (optional(), optional(), optional(), text())).prop_map(
        |((name, device_type, protocol_type, data_format), (manufacturer_name, industry, description, capabilities))| {
            ProductDetails {
                name,
                device_type,
                protocol_type,
                data_format,
                manufacturer_name,
                industry,
                description,
                service_capabilities: capabilities,
            }
        },
    )
}

fn statements() -> impl Strategy<Value = Vec<Statement>> + Clone {
    let effect = prop_oneof![Just(Effect::Allow), Just(Effect::Deny)];
    let actions = btree_set(prop_oneof![Just(Action::Publish), Just(Action::Subscribe)], 0..3);
    let statement = (effect, actions, vec(text(), 0..3)).prop_map(|(effect, actions, resources)| Statement {
        effect,
        actions: actions.into_iter().collect(),
        resources,
    });
    vec(statement, 0..3)
}

fn target() -> impl Strategy<Value = PolicyTarget> + Clone {
    prop_oneof![
        id().prop_map(PolicyTarget::Device),
        (id(), id()).prop_map(|(space, product)| PolicyTarget::Product(space, product)),
        id().prop_map(PolicyTarget::Space),
    ]
}

fn profile() -> impl Strategy<Value = DeviceProfile> + Clone {
    (id(), id(), id(), id(), optional(), tags(), vec(id(), 0..3)).prop_map(
        |(device, node_id, space, product, name, tags, policies)| DeviceProfile {
            device,
            node_id,
            space,
            product,
            name,
            tags,
            policies,
        },
    )
}

fn credential() -> impl Strategy<Value = DeclaredCredential> + Clone {
    prop_oneof![
        Just(DeclaredCredential::Secret),
        (option::of(fingerprint()), option::of(fingerprint()))
            .prop_map(|(primary, secondary)| DeclaredCredential::Certificates { primary, secondary }),
    ]
}

fn presented() -> impl Strategy<Value = PresentedCertificate> + Clone {
    (any::<[u8; 32]>(), der(), at(), id(), option::of(path_proof()))
        .prop_map(|(sha256, der, not_before, ca, proof)| PresentedCertificate { sha256, der, not_before, ca, proof })
}

fn path_proof() -> impl Strategy<Value = PathProof> + Clone {
    let above = (any::<[u8; 32]>(), at(), at()).prop_map(|(name_and_key_sha256, not_before, not_after)| ChainCertificate {
        name_and_key_sha256,
        not_before,
        not_after,
    });
    (at(), any::<[u8; 32]>(), vec(above, 1..4), any::<u32>()).prop_map(
        |(not_after, ca_name_and_key_sha256, chain, prover)| PathProof { not_after, ca_name_and_key_sha256, chain, prover },
    )
}

fn ca_certificate() -> impl Strategy<Value = CaCertificate> + Clone {
    (der(), text(), any::<[u8; 32]>(), any::<[u8; 32]>(), at(), at()).prop_map(
        |(der, cn_name, sha256, name_and_key_sha256, not_before, not_after)| CaCertificate {
            der,
            cn_name,
            sha256,
            name_and_key_sha256,
            not_before,
            not_after,
        },
    )
}

fn attribute() -> impl Strategy<Value = SubjectAttribute> + Clone {
    prop::sample::select(&SubjectAttribute::ALL[..])
}

fn template_body() -> impl Strategy<Value = TemplateBody> + Clone {
    let value = prop_oneof![text().prop_map(Value::Static), attribute().prop_map(Value::Attribute)];
    let change = prop_oneof![Just(OnCertificateChange::Reject), Just(OnCertificateChange::Replace)];
    let device = (option::of(attribute()), option::of(attribute()), attribute(), value.clone());
    (btree_set(attribute(), 0..7), device, vec((value.clone(), value), 0..3), vec(id(), 0..3), change).prop_map(
        |(parameters, (device_name, device_id, node_id, product_id), tags, policy_ids, on_certificate_change)| {
            TemplateBody {
                parameters: parameters.into_iter().collect(),
                device_name,
                device_id,
                node_id,
                product_id,
                tags,
                policy_ids,
                on_certificate_change,
            }
        },
    )
}

/// Drafts as bad as anybody may write them: undeclared references, repeated parameters, nothing at all.
pub(super) fn template_draft() -> impl Strategy<Value = TemplateDraft> + Clone {
    let string = || text().prop_map(String::from);
    let value = prop_oneof![string().prop_map(DraftValue::Static), string().prop_map(DraftValue::Ref)];
    let field = option::of(value.clone());
    let device = (field.clone(), field.clone(), field.clone(), field);
    let lists = (vec((string(), string()), 0..3), vec((value.clone(), value), 0..3), vec(string(), 0..3));
    (device, lists, option::of(string())).prop_map(
        |((device_name, device_id, node_id, product_id), (parameters, tags, policy_ids), on_certificate_change)| {
            TemplateDraft {
                parameters,
                device_name,
                device_id,
                node_id,
                product_id,
                tags,
                policy_ids,
                on_certificate_change,
            }
        },
    )
}

fn instance() -> impl Strategy<Value = Instance> + Clone {
    (instance_draft(), any::<[u8; 16]>(), option::of(any::<bool>())).prop_map(
        |(InstanceDraft { id, access_domain, edition, region, devices_max }, incarnation, self_registration_available)| {
            let incarnation = Incarnation(incarnation);
            Instance { id, access_domain, edition, region, incarnation, devices_max, self_registration_available }
        },
    )
}

fn instance_draft() -> impl Strategy<Value = InstanceDraft> + Clone {
    let edition = prop_oneof![Just(Edition::Basic), Just(Edition::Standard), Just(Edition::Enterprise)];
    (id(), text(), edition, text(), option::of(any::<u64>())).prop_map(
        |(id, access_domain, edition, region, devices_max)| InstanceDraft {
            id,
            access_domain,
            edition,
            region,
            devices_max,
        },
    )
}

/// A name of one of the fleet's own forms.
fn named<T: std::str::FromStr<Err = IdError> + std::fmt::Debug + Clone>(form: &str) -> impl Strategy<Value = T> + Clone {
    let form = proptest::string::string_regex(form).expect("a form");
    form.prop_map(|text| text.parse().expect("of that form")).boxed()
}

fn operator<T: std::str::FromStr<Err = IdError> + std::fmt::Debug + Clone>() -> impl Strategy<Value = T> + Clone {
    named("[A-Za-z0-9._@-]{1,64}")
}

fn access_key<T: std::str::FromStr<Err = IdError> + std::fmt::Debug + Clone>() -> impl Strategy<Value = T> + Clone {
    named("[A-Z0-9]{20}")
}

fn role() -> impl Strategy<Value = Role> + Clone {
    prop_oneof![Just(Role::Viewer), Just(Role::Operator), Just(Role::Admin)]
}

fn scope() -> impl Strategy<Value = Scope> + Clone {
    (option::of(btree_set(id(), 0..3)), option::of(btree_set(id(), 0..3)))
        .prop_map(|(instances, spaces)| Scope { instances, spaces })
}

fn password_hash() -> impl Strategy<Value = PasswordHash> + Clone {
    "[^\\p{Cc}]{1,64}".prop_map(|text| PasswordHash::parse(&text).expect("a hash"))
}

fn new_operator() -> impl Strategy<Value = NewOperator> + Clone {
    (operator(), role(), scope(), named("[0-9a-f]{32}"), option::of(password_hash()))
        .prop_map(|(name, role, scope, project, password_hash)| NewOperator { name, role, scope, project, password_hash })
}

fn fleet_command() -> impl Strategy<Value = FleetCommand> {
    prop_oneof![
        instance_draft().prop_map(FleetCommand::CreateInstance),
        instance_draft().prop_map(FleetCommand::UpdateInstance),
        id().prop_map(FleetCommand::DeleteInstance),
        new_operator().prop_map(FleetCommand::CreateOperator),
        (operator(), option::of(role()), option::of(scope()), option::of(any::<bool>()))
            .prop_map(|(name, role, scope, enabled)| FleetCommand::UpdateOperator { name, role, scope, enabled }),
        (operator(), password_hash())
            .prop_map(|(name, password_hash)| FleetCommand::SetOperatorPassword { name, password_hash }),
        operator().prop_map(FleetCommand::DeleteOperator),
        (access_key(), operator(), text()).prop_map(|(key, operator, description)| FleetCommand::CreateAccessKey {
            key,
            operator,
            description
        }),
        (access_key(), any::<bool>()).prop_map(|(key, enabled)| FleetCommand::SwitchAccessKey { key, enabled }),
        access_key().prop_map(FleetCommand::DeleteAccessKey),
    ]
}

fn fleet_event() -> impl Strategy<Value = FleetEvent> {
    prop_oneof![
        new_operator().prop_map(FleetEvent::OperatorCreated),
        (operator(), role(), scope(), any::<bool>()).prop_map(|(name, role, scope, enabled)| FleetEvent::OperatorUpdated {
            name,
            role,
            scope,
            enabled
        }),
        (operator(), password_hash())
            .prop_map(|(name, password_hash)| FleetEvent::OperatorPasswordSet { name, password_hash }),
        operator().prop_map(FleetEvent::OperatorDeleted),
        (access_key(), operator(), named("[0-9a-f]{32}"), text()).prop_map(|(key, operator, project, description)| {
            FleetEvent::AccessKeyCreated { key, operator, project, description }
        }),
        (access_key(), any::<bool>()).prop_map(|(key, enabled)| FleetEvent::AccessKeySwitched { key, enabled }),
        access_key().prop_map(FleetEvent::AccessKeyDeleted),
        instance().prop_map(FleetEvent::InstanceCreated),
        instance().prop_map(FleetEvent::InstanceUpdated),
        id().prop_map(FleetEvent::InstanceDeleted),
    ]
}

fn configuration_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (id(), text(), any::<bool>(), option::of(id())).prop_map(|(space, name, default_space, default_policy)| {
            Event::SpaceCreated { space, name, default_space, default_policy }
        }),
        (id(), text()).prop_map(|(space, name)| Event::SpaceRenamed { space, name }),
        id().prop_map(|space| Event::SpaceDeleted { space }),
        (id(), id(), details()).prop_map(|(space, product, details)| Event::ProductCreated { space, product, details }),
        (id(), id(), details()).prop_map(|(space, product, details)| Event::ProductUpdated { space, product, details }),
        (id(), id()).prop_map(|(space, product)| Event::ProductDeleted { space, product }),
        (id(), id(), text(), statements()).prop_map(|(policy, space, name, statements)| Event::PolicyCreated {
            policy,
            space,
            name,
            statements
        }),
        (id(), text(), statements()).prop_map(|(policy, name, statements)| Event::PolicyUpdated {
            policy,
            name,
            statements
        }),
        id().prop_map(|policy| Event::PolicyDeleted { policy }),
        (id(), target()).prop_map(|(policy, target)| Event::PolicyBound { policy, target }),
        (id(), target()).prop_map(|(policy, target)| Event::PolicyUnbound { policy, target }),
        (id(), text(), text(), template_body()).prop_map(|(template, name, description, body)| {
            Event::TemplateCreated { template, name, description, body }
        }),
        (id(), text(), template_body()).prop_map(|(template, description, body)| Event::TemplateUpdated {
            template,
            description,
            body
        }),
        id().prop_map(|template| Event::TemplateDeleted { template }),
        (id(), id(), ca_certificate(), text(), at()).prop_map(|(ca, space, certificate, code, code_expires_at)| {
            Event::CaUploaded { ca, space, certificate, code, code_expires_at }
        }),
        (id(), text(), at()).prop_map(|(ca, code, code_expires_at)| Event::CaCodeIssued { ca, code, code_expires_at }),
        id().prop_map(|ca| Event::CaVerified { ca }),
        (id(), option::of(id()), any::<bool>()).prop_map(|(ca, template, self_registration)| Event::CaConfigured {
            ca,
            template,
            self_registration
        }),
        (id(), any::<bool>()).prop_map(|(ca, distrust)| Event::CaDeleted { ca, distrust }),
    ]
}

fn device_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (profile(), presented(), id(), any::<u32>()).prop_map(|(profile, certificate, template, template_version)| {
            Event::DeviceRegistered { profile, certificate, template, template_version }
        }),
        (profile(), credential(), optional(), optional()).prop_map(|(profile, credential, description, extension_info)| {
            Event::DevicePreRegistered { profile, credential, description, extension_info }
        }),
        (id(), presented()).prop_map(|(device, certificate)| Event::DeviceCertificatePinned { device, certificate }),
        (id(), presented()).prop_map(|(device, certificate)| Event::DeviceCertificateReplaced { device, certificate }),
        (id(), optional(), optional(), optional()).prop_map(|(device, name, description, extension_info)| {
            Event::DeviceUpdated { device, name, description, extension_info }
        }),
        (id(), tags()).prop_map(|(device, tags)| Event::DeviceTagsChanged { device, tags }),
        id().prop_map(|device| Event::DeviceFrozen { device }),
        id().prop_map(|device| Event::DeviceUnfrozen { device }),
        (id(), slot(), option::of(fingerprint()))
            .prop_map(|(device, slot, fingerprint)| { Event::DeviceFingerprintReset { device, slot, fingerprint } }),
        (id(), fingerprint(), any::<bool>())
            .prop_map(|(device, fingerprint, active)| { Event::DeviceCertificateSwitched { device, fingerprint, active } }),
        id().prop_map(|device| Event::DeviceDeleted { device }),
        id().prop_map(|device| Event::DeviceReadmitted { device }),
        retirement_event(),
    ]
}

fn retirement_event() -> impl Strategy<Value = Event> {
    let reason = prop::sample::select(&[
        RetirementReason::DeviceDeleted,
        RetirementReason::CertificateDeleted,
        RetirementReason::Replaced,
    ]);
    prop_oneof![
        (fingerprint(), id(), reason, option::of(at())).prop_map(|(fingerprint, device, reason, not_after)| {
            Event::CertificateRetired { fingerprint, device, reason, not_after }
        }),
        (fingerprint(), option::of(id()))
            .prop_map(|(fingerprint, device)| Event::CertificateReadmitted { fingerprint, device }),
        vec(fingerprint(), 1..4).prop_map(|fingerprints| Event::RetiredForgotten { fingerprints }),
    ]
}

fn log_event() -> impl Strategy<Value = LogEvent> {
    prop_oneof![
        (any::<u64>(), any::<[u8; 32]>())
            .prop_map(|(end, prefix_digest)| LogEvent::Adopted { prefix_end: Position(end), prefix_digest }),
        any::<[u8; 32]>().prop_map(|key| LogEvent::RegistrarKeyNamed { public_key: PublicKey::from_bytes(key) }),
    ]
}

fn configuration_command() -> impl Strategy<Value = Command> {
    let change = prop_oneof![Just(TemplateChange::Keep), id().prop_map(TemplateChange::Bind), Just(TemplateChange::Unbind)];
    prop_oneof![
        (id(), text(), option::of(id())).prop_map(|(space, name, default_policy)| Command::CreateSpace {
            space,
            name,
            default_policy
        }),
        (id(), text()).prop_map(|(space, name)| Command::RenameSpace { space, name }),
        id().prop_map(|space| Command::DeleteSpace { space }),
        (id(), id(), details()).prop_map(|(space, product, details)| Command::CreateProduct { space, product, details }),
        (id(), id(), details()).prop_map(|(space, product, details)| Command::UpdateProduct { space, product, details }),
        (id(), id()).prop_map(|(space, product)| Command::DeleteProduct { space, product }),
        (id(), id(), text(), statements()).prop_map(|(policy, space, name, statements)| Command::CreatePolicy {
            policy,
            space,
            name,
            statements
        }),
        (id(), optional(), option::of(statements())).prop_map(|(policy, name, statements)| Command::UpdatePolicy {
            policy,
            name,
            statements
        }),
        id().prop_map(|policy| Command::DeletePolicy { policy }),
        (id(), target()).prop_map(|(policy, target)| Command::BindPolicy { policy, target }),
        (id(), target()).prop_map(|(policy, target)| Command::UnbindPolicy { policy, target }),
        (id(), text(), text(), template_draft()).prop_map(|(template, name, description, body)| {
            Command::CreateTemplate { template, name, description, body }
        }),
        (id(), optional(), option::of(template_draft())).prop_map(|(template, description, body)| Command::UpdateTemplate {
            template,
            description,
            body
        }),
        id().prop_map(|template| Command::DeleteTemplate { template }),
        (id(), id(), der()).prop_map(|(ca, space, der)| Command::UploadCa { ca, space, der }),
        id().prop_map(|ca| Command::IssueCaCode { ca }),
        (id(), der()).prop_map(|(ca, proof)| Command::VerifyCa { ca, proof }),
        (id(), change, option::of(any::<bool>())).prop_map(|(ca, template, self_registration)| Command::ConfigureCa {
            ca,
            template,
            self_registration
        }),
        (id(), prop_oneof![Just(Distrust::No), Just(Distrust::Yes), Just(Distrust::UnlessRenewed)])
            .prop_map(|(ca, distrust)| Command::DeleteCa { ca, distrust }),
    ]
}

fn device_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (profile(), credential(), optional(), optional()).prop_map(|(profile, credential, description, extension_info)| {
            Command::PreRegisterDevice { profile, credential, description, extension_info }
        }),
        (id(), optional(), optional(), optional()).prop_map(|(device, name, description, extension_info)| {
            Command::UpdateDevice { device, name, description, extension_info }
        }),
        (id(), tags()).prop_map(|(device, tags)| Command::TagDevice { device, tags }),
        (id(), vec(text(), 0..3)).prop_map(|(device, keys)| Command::UntagDevice { device, keys }),
        id().prop_map(|device| Command::FreezeDevice { device }),
        id().prop_map(|device| Command::UnfreezeDevice { device }),
        (id(), slot(), option::of(fingerprint())).prop_map(|(device, slot, fingerprint)| Command::ResetFingerprint {
            device,
            slot,
            fingerprint
        }),
        (id(), fingerprint(), any::<bool>()).prop_map(|(device, fingerprint, active)| Command::SwitchCertificate {
            device,
            fingerprint,
            active
        }),
        id().prop_map(|device| Command::DeleteDevice { device }),
        (id(), fingerprint()).prop_map(|(device, fingerprint)| Command::DeleteCertificate { device, fingerprint }),
        (fingerprint(), option::of(id()))
            .prop_map(|(fingerprint, device)| Command::ReadmitCertificate { fingerprint, device }),
        id().prop_map(|device| Command::ReadmitDevice { device }),
    ]
}

fn actor() -> impl Strategy<Value = Actor> + Clone {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Actor::Certificate),
        "[^\\p{Cc}]{1,64}".prop_map(|name| Actor::Operator(name.into())),
    ]
}

fn traceparent() -> impl Strategy<Value = Option<String>> + Clone {
    option::of("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    let fleet = fleet_event().prop_map(|event| (LogId::Fleet, AnyEvent::Fleet(event)));
    let registry = (id::<InstanceId>(), prop_oneof![configuration_event(), device_event()])
        .prop_map(|(instance, event)| (LogId::Instance(instance), AnyEvent::Registry(event)));
    let log = prop_oneof![Just(LogId::Fleet), id::<InstanceId>().prop_map(LogId::Instance)];
    let about_log = (log, log_event()).prop_map(|(log, event)| (log, AnyEvent::Log(event)));
    let envelope = (any::<u128>(), at(), id::<RequestId>(), actor(), traceparent());
    (envelope, prop_oneof![1 => fleet, 8 => registry, 1 => about_log]).prop_map(
        |((number, time, cause, actor, traceparent), (log, event))| Record {
            id: uuid::Uuid::from_u128(number),
            log,
            time,
            cause,
            actor,
            traceparent,
            event,
        },
    )
}

pub(super) fn request() -> impl Strategy<Value = QueuedRequest> {
    let fleet = (id(), actor(), fleet_command()).prop_map(|(id, actor, command)| AnyRequest::Fleet { id, actor, command });
    let body = prop_oneof![
        1 => (vec(der(), 0..4), option::of(id()))
            .prop_map(|(chain, claimed)| RequestBody::CertificateConnect { chain, claimed }),
        6 => configuration_command().prop_map(RequestBody::Command),
        3 => device_command().prop_map(RequestBody::Command),
    ];
    let registry = (id(), actor(), body).prop_map(|(id, actor, body)| AnyRequest::Registry(Request { id, actor, body }));
    (at(), traceparent(), prop_oneof![1 => fleet, 9 => registry])
        .prop_map(|(submitted_at, traceparent, request)| QueuedRequest { submitted_at, traceparent, request })
}

fn rejected() -> impl Strategy<Value = RejectedRuling> {
    (text(), text()).prop_map(|(code, message)| RejectedRuling { code: code.into(), message: message.into() })
}

pub(super) fn ruling() -> impl Strategy<Value = Ruling> {
    prop_oneof![
        any::<u64>().prop_map(|position| Ruling::Accepted { position: Position(position) }),
        rejected().prop_map(Ruling::Rejected),
    ]
}

pub(super) fn attempt() -> impl Strategy<Value = Attempt> {
    let check = (text(), any::<bool>(), text()).prop_map(|(name, passed, detail)| (name.into(), passed, detail.into()));
    let source = any::<u32>().prop_map(|bits| std::net::Ipv4Addr::from_bits(bits).into());
    let attribution = (option::of(id()), option::of(id()), option::of(source), any::<Option<bool>>())
        .prop_map(|(ca, device, source, key_proven)| AttemptAttribution { ca, device, source, key_proven });
    let found = (option::of((id(), any::<u32>())), vec(check, 0..4), option::of(attribution));
    (at(), request(), rejected(), found).prop_map(|(time, request, rejection, (template, checks, attribution))| Attempt {
        time,
        request,
        rejection,
        template,
        checks,
        attribution,
    })
}
