//! CA certificates of a fleet file: upload, proof of possession as far as the file lets us, template and switch.

use rollcall_domain::{
    ids::{InstanceId, SpaceId},
    registry::{CaStatus, Command, command::TemplateChange},
    time::Timestamp,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use super::{Applier, ApplyError, Outcome, Target};
use crate::{
    fleet_file::document::{CaDeclaration, Declared, Fault, Place, Proof},
    pki,
};

impl Applier {
    /// Applies one CA certificate.
    pub(super) async fn ca(
        &mut self,
        target: &Target<'_>,
        space: &SpaceId,
        declared: &Declared<CaDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        if !target.configuration().cas.contains_key(&wanted.id) {
            let command = Command::UploadCa { ca: wanted.id.clone(), space: space.clone(), der: wanted.der.clone() };
            self.command(target, Some(command), place, outcome).await?;
        }
        let Some(found) = target.configuration().cas.get(&wanted.id).cloned() else { return Ok(()) };
        if found.der != wanted.der || found.space != *space {
            let rule = format!("CA certificate {} exists with another certificate or space: use a new id", wanted.id);
            outcome.faults.push(Fault { place: place.clone(), rule });
            return Ok(());
        }
        if !found.is_verified() {
            self.prove(target, declared, outcome).await?;
        }
        let Some(found) = target.configuration().cas.get(&wanted.id).cloned().filter(|ca| ca.is_verified()) else {
            return Ok(());
        };
        if found.template != wanted.template || found.self_registration != wanted.self_registration {
            let template = wanted.template.clone().map_or(TemplateChange::Unbind, TemplateChange::Bind);
            let self_registration = Some(wanted.self_registration);
            let command = Command::ConfigureCa { ca: wanted.id.clone(), template, self_registration };
            self.command(target, Some(command), place, outcome).await?;
        }
        Ok(())
    }

    /// Proof of possession, as far as the file lets us: a fresh code if the old one has expired, then the certificate.
    async fn prove(
        &mut self,
        target: &Target<'_>,
        declared: &Declared<CaDeclaration>,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        if awaited_code(target, wanted).is_some_and(|(_, expires_at)| expires_at <= now) {
            self.command(target, Some(Command::IssueCaCode { ca: wanted.id.clone() }), place, outcome).await?;
        }
        let Some((code, _)) = awaited_code(target, wanted) else { return Ok(()) };
        let pem = match &wanted.proof {
            Proof::Key(key) => pki::verification_certificate(&wanted.file, key, &code).map_err(|error| format!("{error:#}")),
            Proof::Certificate(file) if file.exists() => std::fs::read_to_string(file).map_err(|error| error.to_string()),
            Proof::Certificate(_) | Proof::Later => {
                outcome.notes.push(awaits_proof(target.instance, wanted, &code));
                return Ok(());
            }
        };
        let der = pem.and_then(|pem| first_certificate(&pem));
        match der {
            Ok(proof) => {
                self.command(target, Some(Command::VerifyCa { ca: wanted.id.clone(), proof }), place, outcome).await
            }
            Err(rule) => {
                let place = Place { line: place.line, field: format!("{}.proof_of_possession", place.field) };
                outcome.faults.push(Fault { place, rule });
                Ok(())
            }
        }
    }
}

fn awaited_code(target: &Target<'_>, wanted: &CaDeclaration) -> Option<(Box<str>, Timestamp)> {
    match &target.configuration().cas.get(&wanted.id)?.status {
        CaStatus::AwaitingProof { code, expires_at } => Some((code.clone(), *expires_at)),
        CaStatus::Verified { .. } => None,
    }
}

fn awaits_proof(instance: &InstanceId, ca: &CaDeclaration, code: &str) -> String {
    let out = match &ca.proof {
        Proof::Certificate(file) => file.display().to_string(),
        Proof::Key(_) | Proof::Later => "verification.crt".to_owned(),
    };
    format!(
        "instance {instance}: CA certificate {} awaits proof of possession; its verification code is {code}. Make the \
         certificate where its key is: rollcall pki verification --ca {} --ca-key KEY --code {code} --out {out}; name it \
         under proof_of_possession and send SIGHUP",
        ca.id,
        ca.file.display()
    )
}

fn first_certificate(pem: &str) -> Result<Box<[u8]>, String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes());
    der.map(|der| der.as_ref().into()).map_err(|error| format!("no PEM certificate can be read: {error}"))
}
