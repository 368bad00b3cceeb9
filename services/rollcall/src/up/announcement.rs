//! What `rollcall up` says once it is ready: where each instance listens, and how to register a device.
//!
//! People read it on standard output, programs in `up.json` in the data folder. The file exists only while it is true: it is
//! written in one step when everything is ready, and removed when the process stops.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rollcall_chassis::secret_file;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "up.json";

/// Everything that `up.json` contains.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Announcement {
    /// The process id, which a program needs to stop it.
    pub(crate) pid: u32,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// `embedded`, or the broker's URL without credentials.
    pub(crate) log: String,
    /// Every instance of the fleet.
    pub(crate) instances: Vec<InstanceAnnouncement>,
    /// Where the API is, and what its first administrator signs with.
    pub(crate) api: ApiAnnouncement,
    /// The demo's files and lines, with `--demo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) demo: Option<Demo>,
}

/// Where one instance is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InstanceAnnouncement {
    pub(crate) id: String,
    /// What SNI must carry.
    pub(crate) access_domain: String,
    pub(crate) region: String,
    pub(crate) edition: String,
    /// `ip:port` of MQTT over TLS.
    pub(crate) mqtts_address: SocketAddr,
    /// The CA certificate that its server certificate leads to.
    pub(crate) server_ca_file: PathBuf,
}

/// Where the API is, and what its first administrator signs with.
#[derive(Clone, Serialize)]
pub(crate) struct ApiAnnouncement {
    /// `https://host:port`.
    pub(crate) url: String,
    /// Where a browser opens the console; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) console_url: Option<String>,
    /// `ip:port`.
    pub(crate) address: SocketAddr,
    /// The CA certificate that its server certificate leads to.
    pub(crate) ca_file: PathBuf,
    /// What the first administrator signs with; absent once that operator is removed or their keys are disabled.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<ApiCredentials>,
    /// How that operator gets their password, if it was made by this process.
    #[serde(skip)]
    pub(crate) first_sign_in: Option<FirstSignIn>,
}

/// How the first administrator gets a password that is made once.
#[derive(Clone)]
pub(crate) enum FirstSignIn {
    /// On the terminal, once; it is written nowhere.
    Shown(SecretString),
    /// In this file, which is its owner's alone.
    In(PathBuf),
}

/// What the first administrator signs with.
#[derive(Clone, Serialize)]
pub(crate) struct ApiCredentials {
    /// The project of the access key.
    pub(crate) project_id: String,
    /// Who the access key belongs to.
    pub(crate) operator: String,
    /// The access key.
    pub(crate) access_key: String,
    /// Its secret: the file that holds this is readable by its owner only.
    pub(crate) secret_key: String,
}

impl std::fmt::Debug for ApiAnnouncement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiAnnouncement").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A CA and an unregistered device, and the lines that register it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Demo {
    /// The demo CA's certificate.
    pub(crate) ca_certificate_file: PathBuf,
    /// Its key, to make more devices.
    pub(crate) ca_key_file: PathBuf,
    /// The unregistered device's certificate.
    pub(crate) device_certificate_file: PathBuf,
    pub(crate) device_key_file: PathBuf,
    /// The id that the device will have at the first instance.
    pub(crate) device_id: String,
    /// Registers it with mosquitto's client.
    pub(crate) mosquitto_pub: String,
    /// Registers it with Rollcall's own.
    pub(crate) rollcall_device: String,
}

impl Announcement {
    /// Writes `up.json`: whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, data: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot describe what is up")?;
        // It names a secret.
        Ok(secret_file::replace(&data.join(FILE), &(text + "\n"))?)
    }

    /// Removes `up.json`, also one that a killed process left. The caller holds the data folder's lock.
    pub(crate) fn remove(data: &Path) {
        // Nothing to do about a file that is not there or cannot be removed: readers compare the process id.
        drop(std::fs::remove_file(data.join(FILE)));
    }

    /// The text for people; with the first administrator's password where it is to be shown.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![format!("Rollcall is up on the {} log; data in {}", self.log, self.data.display())];
        for instance in &self.instances {
            lines.push(format!(
                "  instance {:<12} {:<12} {:<10} mqtts://{}:{} at {}",
                instance.id,
                instance.region,
                instance.edition,
                instance.access_domain,
                instance.mqtts_address.port(),
                instance.mqtts_address.ip()
            ));
        }
        if let Some(instance) = self.instances.first() {
            lines.push(format!("  server CA {}", instance.server_ca_file.display()));
        }
        lines.push(self.api.text(&self.data.join(FILE), self.instances.first()));
        if let Some(demo) = &self.demo {
            lines.push(format!("\nRegister device {} by connecting, with mosquitto_pub:\n", demo.device_id));
            lines.push(demo.mosquitto_pub.clone());
            lines.push("\nor step by step, with rollcall device:\n".to_owned());
            lines.push(demo.rollcall_device.clone());
        }
        lines.push("\nWhat happens is shown below; Ctrl-C stops everything.\n".to_owned());
        lines.join("\n")
    }
}

impl ApiAnnouncement {
    /// A secret is shown with the password that is made once, and never again: the lines below read it from the file.
    fn text(&self, file: &Path, instance: Option<&InstanceAnnouncement>) -> String {
        let url = &self.url;
        let console = self.console_url.as_deref().unwrap_or("none: deploy/build-console builds it");
        let mut lines = vec![format!("  API {url}   (its page: {url}/docs)"), format!("  console {console}")];
        let Some(ApiCredentials { project_id, operator, access_key, secret_key }) = &self.credentials else {
            return lines.join("\n");
        };
        match &self.first_sign_in {
            Some(FirstSignIn::Shown(password)) => lines.push(format!(
                "\nFirst administrator, shown this once: {operator} with password {}\n  \
                 project_id {project_id}, access key {access_key}, secret {secret_key}",
                password.expose_secret()
            )),
            Some(FirstSignIn::In(first)) => lines.push(format!(
                "\nFirst administrator: {operator}; password and access key are in {}, for its owner alone",
                first.display()
            )),
            None => {}
        }
        // Of several instances a request has to name one.
        let named = instance.map(|instance| format!("instance_id={:?}", instance.id)).unwrap_or_default();
        lines.push(format!(
            "\nList the devices with the cloud's own SDK (pip install huaweicloudsdkiotda), in Python:\n\n\
             import json; from huaweicloudsdkcore.auth.credentials import BasicCredentials; from huaweicloudsdkcore.http.http_config import HttpConfig; from huaweicloudsdkiotda.v5 import IoTDAClient, ListDevicesRequest; api = json.load(open({file:?}))[\"api\"]\n\
             client = IoTDAClient.new_builder().with_credentials(BasicCredentials(api[\"access_key\"], api[\"secret_key\"], api[\"project_id\"])).with_endpoint(api[\"url\"]).with_http_config(HttpConfig(ssl_ca_cert=api[\"ca_file\"])).build()\n\
             print(client.list_devices(ListDevicesRequest({named})))"
        ));
        lines.join("\n")
    }
}

/// Quotes a word for a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
