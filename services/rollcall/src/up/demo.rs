//! The demo of `rollcall up --demo`: a CA, an unregistered device certificate, and the lines that register it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rollcall_chassis::pem::read_certificate;
use rollcall_domain::{certificate::CertificateFacts, registry::Configuration};

use super::announcement::{Demo, InstanceAnnouncement, quoted};
use crate::tools::pki;

/// Days that the demo's certificates last.
const DAYS: u32 = 365;
/// What the demo's device publishes.
const MESSAGE: &str = r#"{"services":[{"service_id":"engine","properties":{"rpm":900},"event_time":null}]}"#;

/// The demo's files.
pub(crate) struct Files {
    ca: [PathBuf; 2],
    device: [PathBuf; 2],
}

impl Files {
    /// Makes `demo/ca.{crt,key}` and `demo/truck-0001.{crt,key}` in the data folder, unless they are there.
    ///
    /// # Errors
    /// If they cannot be made.
    pub(crate) fn open_or_make(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("demo");
        let pair = |name: &str| [folder.join(format!("{name}.crt")), folder.join(format!("{name}.key"))];
        let files = Self { ca: pair("ca"), device: pair("truck-0001") };
        let common = || pki::Common { out: folder.clone(), key: pki::KeyKind::P256, days: DAYS };
        if !files.ca.iter().all(|file| file.exists()) {
            let subject = "CN=Rollcall demo device CA,O=Rollcall demo".to_owned();
            let arguments =
                pki::CaArguments { name: "ca".into(), subject, issuer: None, issuer_key: None, common: common() };
            pki::run(&pki::PkiCommand::Ca(arguments))?;
        }
        if !files.device.iter().all(|file| file.exists()) {
            pki::run(&pki::PkiCommand::Device(pki::DeviceArguments {
                ca: files.ca[0].clone(),
                ca_key: files.ca[1].clone(),
                subject: "CN=truck-0001,O=Rollcall demo".to_owned(),
                name: None,
                with_chain: false,
                common: common(),
            }))?;
        }
        Ok(files)
    }

    /// The lines that register the demo's device at an instance. Its id is what the instance's template makes of the
    /// certificate; an instance that does not know the demo's CA is an error.
    ///
    /// # Errors
    /// If the instance would not register the demo's device.
    pub(crate) fn describe(
        &self,
        program: &Path,
        instance: &InstanceAnnouncement,
        configuration: &Configuration,
    ) -> anyhow::Result<Demo> {
        let ca_der = read_certificate(&self.ca[0])?;
        let Some(ca) = configuration.cas.values().find(|ca| *ca.der == *ca_der) else {
            bail!(
                "instance {} does not have the demo's CA certificate: --demo needs a fleet file that declares it",
                instance.id
            )
        };
        let template = ca.template.as_ref().and_then(|template| configuration.templates.get(template));
        let template = template.context("the demo's CA certificate has no template bound")?;
        let facts = CertificateFacts::from_der(&read_certificate(&self.device[0])?)?;
        let device_id = template.body.evaluate(&facts)?.device_id.to_string();
        let absolute = |file: &Path| fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let [certificate, key] = self.device.each_ref().map(|file| absolute(file));
        let server_ca = absolute(&instance.server_ca_file);
        let word = |path: &Path| quoted(&path.to_string_lossy());
        let mosquitto_pub = format!(
            "mosquitto_pub -h {} -p {} --cafile {} --cert {} --key {} -i truck-0001 -q 1 -t '$oc/devices/{device_id}/sys/properties/report' -m {}",
            instance.access_domain,
            instance.mqtts_address.port(),
            word(&server_ca),
            word(&certificate),
            word(&key),
            quoted(MESSAGE),
        );
        let rollcall_device = format!(
            "{} device --host {} --address {} --server-ca {} --certificate {} --key {}",
            word(program),
            instance.access_domain,
            instance.mqtts_address,
            word(&server_ca),
            word(&certificate),
            word(&key),
        );
        Ok(Demo {
            ca_certificate_file: absolute(&self.ca[0]),
            ca_key_file: absolute(&self.ca[1]),
            device_certificate_file: certificate,
            device_key_file: key,
            device_id,
            mosquitto_pub,
            rollcall_device,
        })
    }
}
