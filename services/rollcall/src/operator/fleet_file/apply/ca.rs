//! CA certificates of a fleet file: upload, proof of possession as far as the file lets us, template and switch.

use hyper::Method;
use rollcall_chassis::pem::read_certificate;
use rollcall_domain::ids::{InstanceId, SpaceId};
use serde_json::{Value, json};

use super::{ApplyError, Contents};
use crate::{
    operator::fleet_file::document::{BrokenRule, CaDeclaration, Declared, Place, Proof},
    tools::pki,
};

impl Contents<'_> {
    /// Applies one CA certificate.
    pub(super) async fn ca(&mut self, space: &SpaceId, declared: &Declared<CaDeclaration>) -> Result<(), ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        let body = json!({ "content": pki::pem(&wanted.der) });
        let path = format!("/apps/{space}/certificates/{}", wanted.id);
        let Some(mut found) = self.requests.declare(&path, &body, place).await? else { return Ok(()) };
        if found["distrusted"] == true {
            // Applied again as it was, a file does not undo what somebody decided since.
            let rule = "the CA is distrusted since a certificate of it was deleted: take it out of the file, or verify it through the API to lift that";
            self.requests.outcome.faults.push(BrokenRule { place: place.clone(), rule: rule.to_owned() });
            return Ok(());
        }
        if found["status"] != true {
            if !self.prove(declared, &found).await? {
                return Ok(());
            }
            // As it stands now: another one may have configured it meanwhile.
            let Some(proven) = self.requests.declare(&path, &body, place).await? else { return Ok(()) };
            found = proven;
        }
        let template = wanted.template.as_ref().map(|template| template.as_str());
        if found["template_id"].as_str() != template || found["provision_enable"] != wanted.self_registration {
            let body = json!({ "template_id": template, "provision_enable": wanted.self_registration });
            let path = self.of_certificate(wanted, "");
            if self.requests.ask(Method::PUT, &path, Some(&body), place).await?.is_some() {
                self.requests.outcome.changes += 1;
            }
        }
        Ok(())
    }

    /// Proof of possession, as far as the file lets us: a fresh code if the old one has expired, then the certificate.
    /// Whether the CA certificate is verified after this.
    async fn prove(&mut self, declared: &Declared<CaDeclaration>, found: &Value) -> Result<bool, ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        let mut code = found["verify_code"].as_str().unwrap_or_default().to_owned();
        if found["verify_code_expired"] == true {
            let path = self.of_certificate(wanted, "/action?action_id=issue-code");
            let Some(issued) = self.requests.ask(Method::POST, &path, Some(&json!({})), place).await? else {
                return Ok(false);
            };
            self.requests.outcome.changes += 1;
            code = issued["verify_code"].as_str().unwrap_or_default().to_owned();
        }
        let pem = match &wanted.proof {
            Proof::Key(key) => pki::verification_certificate(&wanted.file, key, &code).map_err(|error| format!("{error:#}")),
            Proof::Certificate(file) if file.exists() => {
                read_certificate(file).map(|der| pki::pem(&der)).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
            }
            Proof::Certificate(_) | Proof::Later => {
                self.requests.outcome.notes.push(awaits_proof(self.requests.instance, wanted, &code));
                return Ok(false);
            }
        };
        match pem {
            Ok(pem) => {
                let path = self.of_certificate(wanted, "/action?action_id=verify");
                let proven = self.requests.ask(Method::POST, &path, Some(&json!({ "verify_content": pem })), place).await?;
                self.requests.outcome.changes += usize::from(proven.is_some());
                Ok(proven.is_some())
            }
            Err(rule) => {
                let place = Place { line: place.line, field: format!("{}.proof_of_possession", place.field) };
                self.requests.outcome.faults.push(BrokenRule { place, rule });
                Ok(false)
            }
        }
    }

    fn of_certificate(&self, ca: &CaDeclaration, what: &str) -> String {
        format!("/v5/iot/{}/certificates/{}{what}", self.project, ca.id)
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
         under proof_of_possession and apply the file again (rollcall up: send SIGHUP)",
        ca.id,
        ca.file.display()
    )
}
