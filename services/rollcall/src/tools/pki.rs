//! `rollcall pki`: certificates for development. A CA as an enterprise would have it, device certificates, and the
//! certificate that proves to hold a CA's key. Besides, the keys that an API proves commands and registrars seal records with.
//!
//! Not a production CA: keys lie in files and nothing is revoked. Existing files are never overwritten.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::{Args, Subcommand, ValueEnum};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, RsaKeySize, SignatureAlgorithm,
};
use rollcall_chassis::{
    clock::{Clock, SystemClock},
    keys::{read_issuer, write_private, write_public},
    pem::read_certificates,
};
use rollcall_log::signing::SigningKey;
use time::{Duration, OffsetDateTime};

/// How far before now validity begins, so that a server whose clock is behind accepts it; hours.
const BACKDATED_HOURS: i64 = 1;

/// All of an Ed25519 key in PKCS #8 but its seed (RFC 8410 section 7). The second version begins alike, length and version
/// apart, so the seed stands at the same place.
const ED25519_PKCS8_V1: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Length of an Ed25519 key.
const ED25519_SEED_BYTES: usize = 32;

/// RFC 7468 section 2.
const PEM_LINE_CHARS: usize = 64;

/// What to make.
#[derive(Debug, Subcommand)]
pub(crate) enum PkiCommand {
    /// A CA: NAME.crt and NAME.key
    Ca(CaArguments),
    /// A device certificate signed by a CA: NAME.crt (with the CA's own behind it where that is an intermediate) and NAME.key
    Device(DeviceArguments),
    /// The certificate that proves to hold a CA's key: its CN is the verification code
    Verification(VerificationArguments),
    /// The key that an API proves operators' commands with; prints the public key, for the registrars' `command_keys`
    CommandKey(CommandKeyArguments),
    /// The key that a fleet's registrars seal records with; prints the public key, for everybody's `registrar_keys`
    RegistrarKey(RegistrarKeyArguments),
}

/// Which kind of key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// ECDSA P-256
    #[default]
    P256,
    /// ECDSA P-384
    P384,
    /// Ed25519
    Ed25519,
    /// RSA, 2048 bits
    Rsa2048,
}

/// What every certificate needs.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Folder to write to; made if absent
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Kind of key
    #[arg(long, value_enum, default_value_t)]
    pub(crate) key: KeyKind,
    /// Validity in days from now
    #[arg(long, value_name = "DAYS", default_value_t = 825)]
    pub(crate) days: u32,
}

/// Arguments of `pki ca`.
#[derive(Debug, Args)]
pub(crate) struct CaArguments {
    /// Name of the files
    #[arg(long, default_value = "ca")]
    pub(crate) name: String,
    /// Subject, such as `CN=Acme Device CA,O=Acme`
    #[arg(long, default_value = "CN=Rollcall development CA")]
    pub(crate) subject: String,
    /// Sign it with this CA (makes an intermediate): its certificate
    #[arg(long, value_name = "FILE", requires = "issuer_key")]
    pub(crate) issuer: Option<PathBuf>,
    /// The issuing CA's key
    #[arg(long, value_name = "FILE", requires = "issuer")]
    pub(crate) issuer_key: Option<PathBuf>,
    /// Where and how
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `pki device`.
#[derive(Debug, Args)]
pub(crate) struct DeviceArguments {
    /// The CA's certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// The CA's key
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_key: PathBuf,
    /// Subject, such as `CN=truck-0001,serialNumber=WDB963`; C, O, OU, ST, CN, serialNumber, dnQualifier
    #[arg(long)]
    pub(crate) subject: String,
    /// Name of the files; the CN if it will do
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Put the CA's certificate behind the device's, for a CA that is an intermediate
    #[arg(long)]
    pub(crate) with_chain: bool,
    /// Where and how
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `pki verification`.
#[derive(Debug, Args)]
pub(crate) struct VerificationArguments {
    /// The CA's certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// The CA's key
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_key: PathBuf,
    /// The verification code that was issued for the CA certificate
    #[arg(long)]
    pub(crate) code: String,
    /// File to write
    #[arg(long, value_name = "FILE", default_value = "verification.crt")]
    pub(crate) out: PathBuf,
}

/// Arguments of `pki command-key`.
#[derive(Debug, Args)]
pub(crate) struct CommandKeyArguments {
    /// File to write; only its owner may read it
    #[arg(long, value_name = "FILE", default_value = "command.key")]
    pub(crate) out: PathBuf,
}

/// Arguments of `pki registrar-key`.
#[derive(Debug, Args)]
pub(crate) struct RegistrarKeyArguments {
    /// File to write; only its owner may read it
    #[arg(long, value_name = "FILE", default_value = "registrar.key")]
    pub(crate) out: PathBuf,
}

/// Makes what was asked for. Returns what standard output is to say: the files, or a public key.
///
/// # Errors
/// Files that cannot be read or exist already, a subject that cannot be understood.
pub(crate) fn run(command: &PkiCommand) -> anyhow::Result<Vec<String>> {
    let files = match command {
        PkiCommand::Ca(arguments) => make_ca(arguments)?,
        PkiCommand::Device(arguments) => make_device(arguments)?,
        PkiCommand::Verification(arguments) => {
            let pem = verification_certificate(&arguments.ca, &arguments.ca_key, &arguments.code)?;
            write_public(&arguments.out, &pem)?;
            vec![arguments.out.clone()]
        }
        PkiCommand::CommandKey(arguments) => return make_signing_key(&arguments.out),
        PkiCommand::RegistrarKey(arguments) => return make_signing_key(&arguments.out),
    };
    Ok(files.iter().map(|file| file.display().to_string()).collect())
}

/// Writes a private key and returns its public half.
fn make_signing_key(out: &Path) -> anyhow::Result<Vec<String>> {
    let key = SigningKey::generate();
    write_private(out, &key.to_pem())?;
    Ok(vec![key.public().to_string()])
}

/// The PEM certificate that proves to hold the key of `ca`: its CN is `code`.
///
/// # Errors
/// Files that cannot be read, or a key that is not the certificate's.
pub(crate) fn verification_certificate(ca: &Path, ca_key: &Path, code: &str) -> anyhow::Result<String> {
    let issuer = read_issuer(ca, ca_key)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, code);
    let params = valid_for(name, 1);
    let pair = KeyPair::generate().context("cannot make a key")?;
    Ok(params.signed_by(&pair, &issuer).context("cannot sign the verification certificate")?.pem())
}

/// A certificate as PEM.
pub(crate) fn pem(der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: String = base64.as_bytes().chunks(PEM_LINE_CHARS).map(|line| String::from_utf8_lossy(line) + "\n").collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

fn make_ca(arguments: &CaArguments) -> anyhow::Result<Vec<PathBuf>> {
    let mut params = valid_for(distinguished_name(&arguments.subject)?, arguments.common.days);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pair = key_pair(arguments.common.key)?;
    let made = match (&arguments.issuer, &arguments.issuer_key) {
        (Some(issuer), Some(key)) => params.signed_by(&pair, &read_issuer(issuer, key)?),
        _ => params.self_signed(&pair),
    };
    let made = made.context("cannot sign the CA certificate")?;
    write_pair(&arguments.common.out, &arguments.name, &made.pem(), &pair)
}

fn make_device(arguments: &DeviceArguments) -> anyhow::Result<Vec<PathBuf>> {
    let name = distinguished_name(&arguments.subject)?;
    let files = match (&arguments.name, name.get(&DnType::CommonName)) {
        (Some(files), _) => files.clone(),
        (None, Some(DnValue::Utf8String(cn))) => cn.clone(),
        (None, _) => "device".to_owned(),
    };
    let mut params = valid_for(name, arguments.common.days);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let pair = key_pair(arguments.common.key)?;
    let issuer = read_issuer(&arguments.ca, &arguments.ca_key)?;
    let mut made = params.signed_by(&pair, &issuer).context("cannot sign the device certificate")?.pem();
    if arguments.with_chain {
        // Not the file as it is: it may hold the CA's key as well.
        let chain = read_certificates(&arguments.ca)?;
        made.extend(chain.iter().map(|issuer| pem(issuer)));
    }
    write_pair(&arguments.common.out, &files, &made, &pair)
}

fn write_pair(folder: &Path, name: &str, certificate: &str, pair: &KeyPair) -> anyhow::Result<Vec<PathBuf>> {
    if name.is_empty() || name.contains('/') {
        bail!("{name:?} cannot be a file name: give --name");
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (certificate_file, key_file) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    write_private(&key_file, &private_pem(pair))?;
    write_public(&certificate_file, certificate)?;
    Ok(vec![certificate_file, key_file])
}

/// The key in PKCS #8. For Ed25519 in its first version, without the public key that RFC 8410 allows: OpenSSL before 3.2,
/// and so most devices, cannot read the second.
fn private_pem(pair: &KeyPair) -> String {
    let der = pair.serialize_der();
    let seed = der.get(ED25519_PKCS8_V1.len()..ED25519_PKCS8_V1.len() + ED25519_SEED_BYTES);
    match seed {
        Some(seed) if pair.algorithm() == &rcgen::PKCS_ED25519 => {
            let first = BASE64_STANDARD.encode([ED25519_PKCS8_V1.as_slice(), seed].concat());
            format!("-----BEGIN PRIVATE KEY-----\n{first}\n-----END PRIVATE KEY-----\n")
        }
        _ => pair.serialize_pem(),
    }
}

fn valid_for(name: DistinguishedName, days: u32) -> CertificateParams {
    let now = OffsetDateTime::from_unix_timestamp(SystemClock.unix_ms() / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = now - Duration::hours(BACKDATED_HOURS);
    params.not_after = now + Duration::days(i64::from(days));
    params
}

/// `CN=a,O=b`: a value may hold a comma as `\,` and a backslash as `\\`.
fn distinguished_name(subject: &str) -> anyhow::Result<DistinguishedName> {
    let mut name = DistinguishedName::new();
    for part in split_unescaped(subject) {
        let Some((key, value)) = part.split_once('=') else {
            bail!("{part:?} in the subject is not TYPE=value");
        };
        let kind = match key.trim() {
            "C" => DnType::CountryName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "ST" => DnType::StateOrProvinceName,
            "CN" => DnType::CommonName,
            "serialNumber" => DnType::CustomDnType(vec![2, 5, 4, 5]),
            "dnQualifier" => DnType::CustomDnType(vec![2, 5, 4, 46]),
            other => bail!("{other:?} in the subject: only C, O, OU, ST, CN, serialNumber and dnQualifier are known"),
        };
        if name.get(&kind).is_some() {
            bail!("{} stands twice in the subject", key.trim());
        }
        name.push(kind, value);
    }
    Ok(name)
}

fn split_unescaped(subject: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = subject.chars();
    while let Some(character) = characters.next() {
        match (character, parts.last_mut()) {
            ('\\', Some(part)) => part.extend(characters.next()),
            (',', _) => parts.push(String::new()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    parts
}

fn key_pair(kind: KeyKind) -> anyhow::Result<KeyPair> {
    let algorithm: &'static SignatureAlgorithm = match kind {
        KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
        KeyKind::Rsa2048 => {
            return KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).context("cannot make an RSA key");
        }
    };
    KeyPair::generate_for(algorithm).context("cannot make a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_may_hold_escaped_commas() {
        let name = distinguished_name(r"CN=a\, b,O=c\\d").expect("a subject");
        assert_eq!(name.get(&DnType::CommonName), Some(&DnValue::Utf8String("a, b".into())));
        assert_eq!(name.get(&DnType::OrganizationName), Some(&DnValue::Utf8String(r"c\d".into())));
    }

    #[test]
    fn a_subject_that_cannot_be_understood_is_refused_by_name() {
        for (subject, said) in [("CN", "not TYPE=value"), ("X=1", "only C, O, OU"), ("CN=a,CN=b", "stands twice")] {
            let error = distinguished_name(subject).expect_err(subject).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
