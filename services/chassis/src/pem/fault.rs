//! What is wrong with a text in which the parser found no certificate or key: the mistakes that are made with such files.
//!
//! Does not parse what is good. Invariant: a [`PemError`] is a line's number and one of a fixed set of texts.

use std::fmt;

use super::Wanted;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const BEGIN_CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Where a text is wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct PemError {
    /// From 1 on.
    pub line: usize,
    pub fault: Fault,
}

/// What is most likely wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it is empty")]
    Empty,
    #[error("it is UTF-16: save it as plain text (ASCII or UTF-8)")]
    Utf16,
    #[error("it begins with a byte order mark: save it as UTF-8 without one")]
    ByteOrderMark,
    #[error("it is DER (binary): make PEM of it with openssl x509 -inform DER, or openssl pkey -inform DER for a key")]
    Der,
    #[error("it is PKCS #7: take the certificates out with openssl pkcs7 -print_certs")]
    Pkcs7,
    #[error("it is PKCS #12: take certificate and key out with openssl pkcs12 -nodes")]
    Pkcs12,
    #[error("it is a Java keystore: export certificate and key with keytool -importkeystore -deststoretype pkcs12")]
    JavaKeystore,
    /// As environments, JSON and the settings of build servers hold PEM.
    #[error("its line breaks are written out as \\n: put real ones in their place (printf '%b' does)")]
    WrittenOutNewlines,
    #[error("its line breaks are missing: -----BEGIN ...-----, the content and -----END ...----- are lines of their own")]
    JoinedLines,
    #[error("something stands before -----BEGIN: it has to be the first on its line, without spaces or quotes")]
    NotAtLineStart,
    #[error("it is base64 without a frame: put the lines -----BEGIN ...----- and -----END ...----- round it")]
    NoFrame,
    #[error("it is not PEM: no line begins with -----BEGIN")]
    NotPem,
    #[error("what begins here has no -----END line: it is cut off")]
    NoEnd,
    #[error("this -----END line belongs to nothing that began before it")]
    OtherEnd,
    #[error("this is not base64: the content is damaged")]
    Damaged,
    #[error("the key is encrypted: take its passphrase away with openssl pkey, and keep the file for its owner alone")]
    Encrypted,
    /// Good PEM of another kind.
    #[error("what begins here is {found}, not a {wanted}")]
    OtherKind { found: Label, wanted: Wanted },
    #[error("a second certificate begins here, {0} in all: give exactly one")]
    Several(usize),
}

/// What a `-----BEGIN` line announces. Any text can stand there, so that one which is not known is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Certificate,
    TrustedCertificate,
    PrivateKey,
    EncryptedPrivateKey,
    PublicKey,
    Request,
    RevocationList,
    Pkcs7,
    Parameters,
    Other,
}

impl Label {
    fn of(label: &[u8]) -> Self {
        match label {
            b"CERTIFICATE" => Self::Certificate,
            b"TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"EC PRIVATE KEY" => Self::PrivateKey,
            b"ENCRYPTED PRIVATE KEY" => Self::EncryptedPrivateKey,
            b"PUBLIC KEY" | b"RSA PUBLIC KEY" => Self::PublicKey,
            b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => Self::Request,
            b"X509 CRL" => Self::RevocationList,
            b"PKCS7" | b"CMS" => Self::Pkcs7,
            b"EC PARAMETERS" | b"DH PARAMETERS" => Self::Parameters,
            _ => Self::Other,
        }
    }

    fn is(self, wanted: Wanted) -> bool {
        matches!((self, wanted), (Self::Certificate, Wanted::Certificate) | (Self::PrivateKey, Wanted::PrivateKey))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate",
            Self::TrustedCertificate => "a certificate in OpenSSL's own form (openssl x509 makes the usual one of it)",
            Self::PrivateKey | Self::EncryptedPrivateKey => "a private key",
            Self::PublicKey => "a public key",
            Self::Request => "a certificate signing request",
            Self::RevocationList => "a revocation list",
            Self::Pkcs7 => "PKCS #7 (openssl pkcs7 -print_certs takes the certificates out)",
            Self::Parameters => "a key's parameters",
            Self::Other => "something of another kind",
        })
    }
}

/// What is wrong with a text in which the parser did not find what was wanted.
pub(super) fn find(text: &[u8], wanted: Wanted) -> PemError {
    if let Some(fault) = encoding(text) {
        return PemError { line: 1, fault };
    }
    match walk(text) {
        Err(error) => error,
        Ok(Some((line, label))) => PemError { line, fault: of_kind(label, wanted) },
        Ok(None) => without_section(text),
    }
}

/// Several certificates where one was wanted.
pub(super) fn several(text: &[u8], count: usize) -> PemError {
    let mut begun = lines(text).filter(|(_, line)| line.starts_with(BEGIN_CERTIFICATE));
    let line = begun.nth(1).map_or(1, |(number, _)| number);
    PemError { line, fault: Fault::Several(count) }
}

/// How often a certificate begins, at the start of a line or not.
pub(super) fn certificates_begun(text: &[u8]) -> usize {
    text.windows(BEGIN_CERTIFICATE.len()).filter(|window| *window == BEGIN_CERTIFICATE).count()
}

/// What the first bytes give away.
fn encoding(text: &[u8]) -> Option<Fault> {
    match text {
        _ if text.trim_ascii().is_empty() => Some(Fault::Empty),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, _, 0, ..] | [0, _, 0, _, ..] => Some(Fault::Utf16),
        [0xef, 0xbb, 0xbf, ..] => Some(Fault::ByteOrderMark),
        [0xfe, 0xed, 0xfe, 0xed, ..] => Some(Fault::JavaKeystore),
        _ => match sequence(text)? {
            // RFC 7292: version 3. Private keys have version 0 or 1 in this place.
            [2, 1, 3, ..] => Some(Fault::Pkcs12),
            // RFC 2315: an object identifier below 1.2.840.113549.1.7.
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, ..] => Some(Fault::Pkcs7),
            _ => Some(Fault::Der),
        },
    }
}

/// What a DER SEQUENCE holds, if the text begins with one.
fn sequence(text: &[u8]) -> Option<&[u8]> {
    match text {
        [0x30, length @ (0x81..=0x84), rest @ ..] => rest.get(usize::from(length & 0x7f)..),
        // The length in one byte, or left open (BER): any of these is a character too.
        [0x30, length @ 0..=0x7f, rest @ ..] if usize::from(*length) == rest.len() => Some(rest),
        [0x30, 0x80, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Goes through the lines up to the first that is wrong; otherwise gives where the first section begins, and which.
fn walk(text: &[u8]) -> Result<Option<(usize, Label)>, PemError> {
    let mut first = None;
    let mut open: Option<(usize, &[u8])> = None;
    for (number, line) in lines(text) {
        let fail = |fault| Err(PemError { line: number, fault });
        let is_framed = contains(line, BEGIN) || contains(line, END);
        if contains(line, b"\\n") && (is_framed || open.is_some()) {
            return fail(Fault::WrittenOutNewlines);
        }
        if contains(line, BEGIN) {
            let label = label(line).map_err(|fault| PemError { line: number, fault })?;
            if let Some((began, _)) = open {
                return Err(PemError { line: began, fault: Fault::NoEnd });
            }
            open = Some((number, label));
            first = first.or(Some((number, Label::of(label))));
        } else if let Some(ended) = line.strip_prefix(END) {
            let fits =
                open.take().is_some_and(|(_, label)| ended.strip_prefix(label).is_some_and(|rest| rest.starts_with(DASHES)));
            if !fits {
                return fail(Fault::OtherEnd);
            }
        } else if open.is_some() {
            if line.starts_with(b"Proc-Type:") || line.starts_with(b"DEK-Info:") {
                return fail(Fault::Encrypted);
            }
            if contains(line, END) {
                return fail(Fault::JoinedLines);
            }
            if !line.iter().all(|byte| is_base64(*byte)) {
                return fail(Fault::Damaged);
            }
        }
    }
    match open {
        Some((line, _)) => Err(PemError { line, fault: Fault::NoEnd }),
        None => Ok(first),
    }
}

/// What a `-----BEGIN` line announces.
fn label(line: &[u8]) -> Result<&[u8], Fault> {
    let Some(rest) = line.trim_ascii_end().strip_prefix(BEGIN) else { return Err(Fault::NotAtLineStart) };
    match rest.strip_suffix(DASHES) {
        Some(label) if !contains(label, DASHES) => Ok(label),
        _ if contains(rest, DASHES) => Err(Fault::JoinedLines),
        _ => Err(Fault::Damaged),
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b' ' | b'\t')
}

/// The frames of all sections are good.
fn of_kind(found: Label, wanted: Wanted) -> Fault {
    match found {
        // The characters are base64's, their number or the padding is not.
        found if found.is(wanted) => Fault::Damaged,
        Label::EncryptedPrivateKey if wanted == Wanted::PrivateKey => Fault::Encrypted,
        found => Fault::OtherKind { found, wanted },
    }
}

fn without_section(text: &[u8]) -> PemError {
    let content = || lines(text).filter(|(_, line)| !line.trim_ascii().is_empty());
    let line = content().next().map_or(1, |(number, _)| number);
    // DER of more than a few bytes begins with an `M` in base64.
    let is_bare = content().next().is_some_and(|(_, line)| line.starts_with(b"M"))
        && content().all(|(_, line)| line.iter().all(|byte| is_base64(*byte) && *byte != b' '));
    PemError { line, fault: if is_bare { Fault::NoFrame } else { Fault::NotPem } }
}

/// The lines, numbered from 1 on, whether they end as on Unix, on Windows or as on old Macintoshes.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    let split = text.split(move |byte| *byte == end);
    (1..).zip(split.map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

fn contains(line: &[u8], what: &[u8]) -> bool {
    line.windows(what.len()).any(|window| window == what)
}
