//! Rules on CA certificates: upload, proof of possession, binding a template, self-registration.
//!
//! Two certificates are "the same CA" when name and key are equal: one of them is a renewal. Invariant: one CA is verified
//! in one resource space at most, or the devices of one tenant would be another's. An upload that is not proven blocks no
//! other, so a public CA certificate cannot be squatted.

use super::{Context, Decided, Decision, fields, membership, templates};
use crate::{
    certificate::authority::{self, AuthorityFault},
    ids::{CaId, SpaceId},
    limits,
    registry::{
        command::{Distrust, TemplateChange},
        event::{CaCertificate, Event},
        state::{Ca, CaStatus, Configuration},
    },
    rejection::{Rejection, Subject},
    time::Timestamp,
};

pub(super) fn upload(
    configuration: &Configuration,
    id: &CaId,
    space: &SpaceId,
    der: &[u8],
    context: &Context<'_>,
) -> Decided {
    membership::space(configuration, space)?;
    if let Some(existing) = configuration.cas.get(id) {
        return if *existing.der == *der && existing.space == *space {
            Ok(Decision::AlreadySo)
        } else {
            Err(Rejection::AlreadyExists(Subject::Ca(id.clone())))
        };
    }
    if let Some(twin) = configuration.cas.values().find(|other| other.space == *space && *other.der == *der) {
        return Err(Rejection::AlreadyExists(Subject::Ca(twin.id.clone())));
    }
    let (cas, max) = (configuration.cas.len() + 1, limits::CA_CERTIFICATES_PER_INSTANCE_MAX);
    fields::limit(cas, max, "CA certificates in this instance")?;
    let facts = authority::examine(der, context.now).map_err(Rejection::CaRefused)?;
    let certificate = CaCertificate {
        der: der.into(),
        cn_name: facts.cn_name.into(),
        sha256: facts.sha256,
        name_and_key_sha256: facts.name_and_key_sha256,
        not_before: facts.not_before,
        not_after: facts.not_after,
    };
    let (code, code_expires_at) = new_code(context);
    Ok(Decision::Record(Event::CaUploaded { ca: id.clone(), space: space.clone(), certificate, code, code_expires_at }))
}

/// A new code for a CA certificate that still awaits its proof; the old one is worth nothing from then on.
pub(super) fn issue_code(configuration: &Configuration, id: &CaId, context: &Context<'_>) -> Decided {
    let ca = existing(configuration, id)?;
    if ca.is_verified() {
        // Not "already so": the command asks for a code, and a verified CA certificate has none.
        return Err(Rejection::CaAlreadyVerified);
    }
    let (code, code_expires_at) = new_code(context);
    Ok(Decision::Record(Event::CaCodeIssued { ca: id.clone(), code, code_expires_at }))
}

fn new_code(context: &Context<'_>) -> (Box<str>, Timestamp) {
    (context.verification_code.into(), context.now.plus_s(limits::VERIFICATION_CODE_LIFETIME_S))
}

/// Spends the code: a verified CA certificate has none, so a proof that is sent again proves nothing anew. It is looked at all
/// the same: whoever sends one of another CA is not told that all is well.
pub(super) fn verify(configuration: &Configuration, id: &CaId, proof: &[u8], now: Timestamp) -> Decided {
    let ca = existing(configuration, id)?;
    let (code, expires_at) = match &ca.status {
        CaStatus::Verified { .. } => {
            let signed = authority::signed_proof(&ca.der, proof);
            return signed.map(|_| Decision::AlreadySo).map_err(Rejection::ProofRefused);
        }
        CaStatus::AwaitingProof { code, expires_at } => (code, *expires_at),
    };
    if now > expires_at {
        return Err(Rejection::CodeExpired);
    }
    if !ca.is_valid_at(now) {
        return Err(Rejection::CaRefused(AuthorityFault::NotValidNow));
    }
    authority::prove_possession(&ca.der, proof, code, now).map_err(Rejection::ProofRefused)?;
    let elsewhere =
        |other: &&Ca| other.is_verified() && other.space != ca.space && other.name_and_key_sha256 == ca.name_and_key_sha256;
    if configuration.cas.values().any(|other| elsewhere(&other)) {
        return Err(Rejection::CaAlreadyVerified);
    }
    if !configuration.may_forgive(&ca.name_and_key_sha256, &ca.space) {
        return Err(Rejection::CaDistrusted);
    }
    Ok(Decision::Record(Event::CaVerified { ca: id.clone() }))
}

pub(super) fn configure(
    configuration: &Configuration,
    id: &CaId,
    change: &TemplateChange,
    self_registration: Option<bool>,
    context: &Context<'_>,
) -> Decided {
    let ca = existing(configuration, id)?;
    let template = match change {
        TemplateChange::Keep => ca.template.clone(),
        TemplateChange::Bind(template) => Some(template.clone()),
        TemplateChange::Unbind => None,
    };
    let self_registration = self_registration.unwrap_or(ca.self_registration);
    if template == ca.template && self_registration == ca.self_registration {
        return Ok(Decision::AlreadySo);
    }
    if let Some(template) = &template {
        let template = templates::existing(configuration, template)?;
        membership::template(configuration, &ca.space, &template.body)?;
    }
    if self_registration {
        if template.is_none() {
            return Err(Rejection::TemplateRequired);
        }
        if !ca.is_verified() {
            return Err(Rejection::CaNotVerified);
        }
        available(context)?;
    }
    Ok(Decision::Record(Event::CaConfigured { ca: id.clone(), template, self_registration }))
}

/// Devices may register themselves in this edition and region.
pub(super) fn available(context: &Context<'_>) -> Result<(), Rejection> {
    if context.availability.allow(context.instance) {
        return Ok(());
    }
    let (edition, region) = (context.instance.edition.name(), context.instance.region.to_string());
    Err(Rejection::SelfRegistrationUnavailable { edition, region })
}

/// Granted also while devices use it: taking trust away must never have to wait. They are not let in any more. Only whoever
/// has proven to hold its key says that a CA is not to be believed, or anybody could upload another's and have it refused.
pub(super) fn delete(configuration: &Configuration, id: &CaId, distrust: Distrust, now: Timestamp) -> Decided {
    let ca = existing(configuration, id)?;
    let distrust = match (distrust, ca.is_verified(), renewal(configuration, ca, now)) {
        (Distrust::No, _, _) | (Distrust::UnlessRenewed, false, _) | (Distrust::UnlessRenewed, true, Some(_)) => false,
        (Distrust::Yes | Distrust::UnlessRenewed, true, None) => true,
        (Distrust::Yes, false, _) => {
            let rule =
                "nobody has proven to hold the key of this CA certificate, so it vouches for nothing: delete it without";
            return Err(fields::invalid("distrust", rule.into()));
        }
        (Distrust::Yes, true, Some(renewal)) => {
            let rule = format!("CA certificate {} is verified and of the same CA: delete it first", renewal.id);
            return Err(fields::invalid("distrust", rule));
        }
    };
    if distrust && !configuration.is_distrusted(&ca.name_and_key_sha256) {
        let of_space = configuration.distrusted.values().filter(|distrusted| distrusted.space == ca.space).count();
        fields::limit(of_space + 1, limits::DISTRUSTED_CAS_PER_SPACE_MAX, "distrusted CAs of this resource space")?;
        let (count, max) = (configuration.distrusted.len() + 1, limits::DISTRUSTED_CAS_PER_INSTANCE_MAX);
        fields::limit(count, max, "distrusted CAs in this instance")?;
    }
    Ok(Decision::Record(Event::CaDeleted { ca: id.clone(), distrust }))
}

/// Another certificate of the same CA that is verified and valid: one that has expired and was never cleared away renews nothing.
fn renewal<'a>(configuration: &'a Configuration, ca: &Ca, now: Timestamp) -> Option<&'a Ca> {
    let is_same = |other: &Ca| other.id != ca.id && other.name_and_key_sha256 == ca.name_and_key_sha256;
    configuration.cas.values().find(|other| is_same(other) && other.is_verified() && other.is_valid_at(now))
}

fn existing<'a>(configuration: &'a Configuration, id: &CaId) -> Result<&'a Ca, Rejection> {
    configuration.cas.get(id).ok_or_else(|| Rejection::NotFound(Subject::Ca(id.clone())))
}
