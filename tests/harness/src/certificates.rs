//! Certificates as other people's tools make them: openssl (also X.509 v1, as the service's guide does) and rcgen.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use rollcall_chassis::clock::{Clock as _, SystemClock};

use crate::process::run;

/// A certificate and its key, in PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate, with its intermediates behind it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Pair {
    /// `<folder>/<name>.crt` and `.key`.
    pub fn at(folder: &Path, name: &str) -> Self {
        Self { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) }
    }

    /// Writes the key so that it is taken: for its owner alone.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_key(&self, pem: &str) {
        rollcall_chassis::secret_file::replace(&self.key, pem).expect("written");
    }
}

/// Which kind of key openssl makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ECDSA P-256.
    P256,
    /// ECDSA P-384.
    P384,
    /// RSA, 2048 bits.
    Rsa2048,
    Ed25519,
}

/// What openssl writes into a device certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// X.509 v1: `openssl x509 -req` without an extension file.
    V1,
    /// X.509 v3 with basicConstraints CA:FALSE and extendedKeyUsage clientAuth.
    V3,
}

/// A device CA, as an enterprise has it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its certificate and key.
    pub pair: Pair,
    /// Behind a device's certificate: the intermediates up to, and without, the uploaded CA.
    chain: Vec<PathBuf>,
}

impl Authority {
    /// A self-signed CA made by openssl.
    pub fn root(folder: &Path, name: &str, key: Key) -> Self {
        Self::root_called(folder, name, &format!("/O=Acme/CN={name}"), key)
    }

    /// A CA that is there already.
    pub fn from_pair(pair: Pair) -> Self {
        Self { pair, chain: Vec::new() }
    }

    /// As [`Authority::root`], with a subject as openssl takes it: two of them with one name are twins.
    pub fn root_called(folder: &Path, name: &str, subject: &str, key: Key) -> Self {
        let pair = Pair::at(folder, name);
        make_key(&pair.key, key);
        self_sign(&pair, subject);
        Self { pair, chain: Vec::new() }
    }

    /// The same name and key with another certificate of its own, as a CA that is renewed.
    pub fn renewed(&self, folder: &Path, name: &str) -> Self {
        let pair = Pair::at(folder, name);
        std::fs::copy(&self.pair.key, &pair.key).expect("the CA's key");
        let subject = run(Command::new("openssl")
            .args(["x509", "-noout", "-subject", "-nameopt", "compat", "-in"])
            .arg(&self.pair.certificate));
        let subject = subject.trim().trim_start_matches("subject=").trim();
        self_sign(&pair, subject);
        Self { pair, chain: Vec::new() }
    }

    /// The certificate of a server with this DNS name, for one instance's files in a `tls_folder`. Many at little cost.
    pub fn server(&self, folder: &Path, name: &str, domain: &str) -> Pair {
        self.rcgen_device(folder, name, |params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.subject_alt_names = vec![rcgen::SanType::DnsName(domain.try_into().expect("a DNS name"))];
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            // Python's TLS client refuses a certificate without.
            params.use_authority_key_identifier_extension = true;
        })
    }

    /// A certificate with extensions as openssl's `-extfile` takes them; `None`: X.509 v1.
    pub fn issue(&self, folder: &Path, name: &str, subject: &str, key: Key, extensions: Option<&str>) -> Pair {
        self.sign(folder, name, subject, key, extensions)
    }

    /// An intermediate CA below this one, made by openssl; its devices present it.
    pub fn intermediate(&self, folder: &Path, name: &str, key: Key) -> Self {
        let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
        let pair = self.sign(folder, name, &format!("/O=Acme/CN={name}"), key, Some(extensions));
        let mut chain = vec![pair.certificate.clone()];
        chain.extend(self.chain.iter().cloned());
        Self { pair, chain }
    }

    /// A device certificate made by openssl; `subject` as openssl takes it, such as `/CN=truck-1/O=Acme`.
    pub fn device(&self, folder: &Path, name: &str, subject: &str, key: Key, form: Form) -> Pair {
        let extensions = match form {
            Form::V1 => None,
            Form::V3 => Some("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n"),
        };
        let pair = self.sign(folder, name, subject, key, extensions);
        let mut pem = std::fs::read_to_string(&pair.certificate).expect("the certificate just made");
        for intermediate in &self.chain {
            pem += &std::fs::read_to_string(intermediate).expect("an intermediate");
        }
        std::fs::write(&pair.certificate, pem).expect("written");
        pair
    }

    /// A P-256 v3 device certificate with only a CN: what most tests want. Many at little cost.
    pub fn quick_device(&self, folder: &Path, common_name: &str) -> Pair {
        self.rcgen_device(folder, common_name, |params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        })
    }

    /// A P-256 v3 device certificate made by rcgen, with an empty subject until `fill` has changed that.
    pub fn rcgen_device(&self, folder: &Path, name: &str, fill: impl FnOnce(&mut rcgen::CertificateParams)) -> Pair {
        let pair = Pair::at(folder, name);
        let read = |path: &Path| std::fs::read_to_string(path).expect("the CA's files");
        let ca_key = rcgen::KeyPair::from_pem(&read(&self.pair.key)).expect("the CA's key");
        let issuer = rcgen::Issuer::from_ca_cert_pem(&read(&self.pair.certificate), ca_key).expect("the CA's certificate");
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        fill(&mut params);
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut pem = params.signed_by(&key, &issuer).expect("a certificate").pem();
        for intermediate in &self.chain {
            pem += &read(intermediate);
        }
        std::fs::write(&pair.certificate, pem).expect("written");
        pair.write_key(&key.serialize_pem());
        pair
    }

    fn sign(&self, folder: &Path, name: &str, subject: &str, key: Key, extensions: Option<&str>) -> Pair {
        let pair = Pair::at(folder, name);
        make_key(&pair.key, key);
        let request = folder.join(format!("{name}.csr"));
        run(Command::new("openssl")
            .args(["req", "-new", "-utf8", "-subj", subject, "-key"])
            .arg(&pair.key)
            .arg("-out")
            .arg(&request));
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-sha256", "-days", "365", "-in"]).arg(&request);
        sign.args(["-set_serial", &format!("0x{}", serial())]);
        sign.arg("-CA").arg(&self.pair.certificate).arg("-CAkey").arg(&self.pair.key).arg("-out").arg(&pair.certificate);
        if let Some(text) = extensions {
            let file = folder.join(format!("{name}.ext"));
            std::fs::write(&file, text).expect("written");
            sign.arg("-extfile").arg(&file);
        }
        run(&mut sign);
        pair
    }
}

/// An instant this far from now, for validities.
pub fn from_now(offset: time::Duration) -> time::OffsetDateTime {
    let now = time::OffsetDateTime::from_unix_timestamp(SystemClock.unix_ms() / 1000);
    now.expect("a clock within the years of the calendar") + offset
}

/// A random positive serial number, hex.
fn serial() -> String {
    format!("01{}", run(Command::new("openssl").args(["rand", "-hex", "8"])).trim())
}

/// A CA certificate signed by its own key.
fn self_sign(pair: &Pair, subject: &str) {
    run(Command::new("openssl")
        .args(["req", "-x509", "-new", "-sha256", "-days", "3650", "-subj", subject, "-key"])
        .arg(&pair.key)
        .args(["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out"])
        .arg(&pair.certificate));
}

fn make_key(file: &Path, key: Key) {
    let mut command = Command::new("openssl");
    command.args(["genpkey", "-quiet", "-out"]).arg(file);
    match key {
        Key::P256 => command.args(["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        Key::P384 => command.args(["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        Key::Rsa2048 => command.args(["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        Key::Ed25519 => command.args(["-algorithm", "ED25519"]),
    };
    run(&mut command);
}
