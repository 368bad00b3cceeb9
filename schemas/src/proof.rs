//! The proof that stands before a command in a request queue: one line of text, then the request's JSON as it always was.
//!
//! Holds no keys: what is signed is [`Proof::statement`], who signs and verifies it is the backbone's. The request's own
//! shapes do not know of proofs, so they and their golden files stay as they are; a request without a proof begins with
//! `{`, so the two are never mistaken for each other. Invariant: a proof has one form, and reading takes no other.
//!
//! `rollcall-proof 1 <log> <incarnation> <request> <sha256> <made at> <key> <signature>`, separated by single blanks and
//! ended by a line feed. `<log>` is `fleet` or `instance/<id>`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use uuid::Uuid;

use crate::{
    encoding::{Sha256, Time, lower_hex},
    error::{WireError, shortened},
};

/// What every proof of any version begins with. No JSON does.
const WORD: &str = "rollcall-proof";
/// The one version there is.
pub const VERSION: u32 = 1;
/// Longest line, bytes, its line feed included: ids have 36 and 128 characters at most.
pub const PROOF_BYTES_MAX: usize = 512;
/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;
/// Fields after the version.
const FIELDS: usize = 7;
/// What `<log>` begins with where it is an instance's.
const INSTANCE: &str = "instance/";
/// What `<log>` is where it is the fleet's.
const FLEET: &str = "fleet";

/// A proof: what it is bound to, which key has signed that, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The instance whose registrar may rule on the command; `None`: the fleet's.
    pub instance: Option<String>,
    /// Which life of that instance; nil for the fleet, and for an instance that was created before there were any.
    pub incarnation: Uuid,
    /// The id that the request is queued under.
    pub request: String,
    /// Over the request's JSON.
    pub sha256: Sha256,
    /// When it was made.
    pub made_at: Time,
    /// Names the key: the first eight bytes of SHA-256 over the public key.
    pub key: [u8; 8],
    /// Ed25519 over the [statement](Self::statement).
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Proof {
    /// What is signed: the line without its last field and the blank before that.
    pub fn statement(&self) -> String {
        let log = match &self.instance {
            None => FLEET.to_owned(),
            Some(instance) => format!("{INSTANCE}{instance}"),
        };
        let (incarnation, request, sha256) = (self.incarnation, &self.request, self.sha256);
        format!("{WORD} {VERSION} {log} {incarnation} {request} {sha256} {} {}", self.made_at, hex::encode(self.key))
    }

    /// The line, with its line feed.
    pub fn to_line(&self) -> String {
        format!("{} {}\n", self.statement(), STANDARD.encode(self.signature))
    }

    /// Splits what is queued into its proof and the request behind it. `None`: it does not begin with a proof.
    ///
    /// # Errors
    /// [`WireError`] for what begins like a proof and is none that this build can read.
    pub fn split(queued: &[u8]) -> Result<Option<(Self, &[u8])>, WireError> {
        if !queued.starts_with(WORD.as_bytes()) {
            return Ok(None);
        }
        let within = queued.get(..PROOF_BYTES_MAX).unwrap_or(queued);
        let end = within.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| shape(format!("no line feed within {PROOF_BYTES_MAX} bytes")))?;
        let line = str::from_utf8(&queued[..end]).map_err(|_| shape("not UTF-8"))?;
        Ok(Some((Self::read(line)?, &queued[end + 1..])))
    }

    fn read(line: &str) -> Result<Self, WireError> {
        let mut words = line.split(' ');
        let version = words.nth(1).and_then(|version| version.parse().ok()).ok_or_else(|| shape("no version"))?;
        if version != VERSION {
            return Err(WireError::UnknownVersion { kind: WORD.to_owned(), version, newest: VERSION });
        }
        let fields: Vec<&str> = words.collect();
        let Ok([log, incarnation, request, sha256, made_at, key, signature]) = <[&str; FIELDS]>::try_from(fields) else {
            return Err(shape(format!("not {FIELDS} fields after the version")));
        };
        let instance = match log.strip_prefix(INSTANCE) {
            Some(instance) => Some(instance.to_owned()),
            None if log == FLEET => None,
            None => return Err(wrong("log", log)),
        };
        let signature = STANDARD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        let proof = Self {
            instance,
            incarnation: Uuid::try_parse(incarnation).map_err(|_| wrong("incarnation", incarnation))?,
            request: request.to_owned(),
            sha256: lower_hex(sha256).map(Sha256).ok_or_else(|| wrong("sha256", sha256))?,
            made_at: Time::parse(made_at).ok_or_else(|| wrong("made_at", made_at))?,
            key: lower_hex(key).ok_or_else(|| wrong("key", key))?,
            signature: signature.ok_or_else(|| shape("signature: not 64 bytes in base64"))?,
        };
        // A number, a UUID and base64 can be written in more ways than one; what is signed is the one that we write.
        if proof.to_line().trim_end_matches('\n') == line { Ok(proof) } else { Err(shape("not in the one form of a proof")) }
    }
}

fn shape(reason: impl Into<String>) -> WireError {
    WireError::Shape { path: WORD.to_owned(), reason: reason.into() }
}

fn wrong(field: &str, text: &str) -> WireError {
    WireError::Shape { path: format!("{WORD}.{field}"), reason: format!("{:?}", shortened(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first release with proofs wrote them; never edited.
    const GOLDEN: [&str; 2] =
        [include_str!("../golden/proof/fleet.v1.txt"), include_str!("../golden/proof/instance.v1.txt")];

    fn reason(line: &str) -> String {
        Proof::split(line.as_bytes()).expect_err(line).to_string()
    }

    #[test]
    fn golden_proofs_are_read_and_written_again() {
        for golden in GOLDEN {
            let (proof, request) = Proof::split(golden.as_bytes()).expect("readable").expect("a proof");
            assert_eq!(request, b"{}\n", "what stands behind the line is the request");
            assert_eq!(proof.to_line() + "{}\n", golden);
        }
    }

    #[test]
    fn what_does_not_begin_with_a_proof_is_left_alone() {
        for other in [&b"{}"[..], b"", b" rollcall-proof 1", b"[1]"] {
            assert_eq!(Proof::split(other), Ok(None));
        }
    }

    #[test]
    fn a_proof_has_one_form() {
        let golden = GOLDEN[1];
        let words: Vec<&str> = golden.lines().next().expect("a line").split(' ').collect();
        let changed = |at: usize, word: &str| {
            let mut words = words.clone();
            words[at] = word;
            reason(&(words.join(" ") + "\n{}"))
        };
        assert!(changed(1, "2").contains("version 2 of rollcall-proof is unknown"));
        assert!(changed(1, "01").contains("one form"));
        assert!(changed(2, "north").contains("log"));
        assert!(changed(3, "6F9619FF-8B86-D011-B42D-00C04FC964FF").contains("one form"));
        assert!(changed(5, &"AB".repeat(32)).contains("sha256"));
        assert!(changed(6, "yesterday").contains("made_at"));
        assert!(changed(7, "").contains("key"));
        assert!(changed(8, "AAAA").contains("signature"));
        assert!(changed(4, "a b").contains("fields"));
        assert!(reason("rollcall-proof\n").contains("version"));
        assert!(reason(&format!("rollcall-proof 1 {}", "x".repeat(PROOF_BYTES_MAX))).contains("line feed"));
    }

    #[test]
    fn the_longest_proof_fits() {
        let proof = Proof {
            instance: Some("i".repeat(36)),
            incarnation: Uuid::nil(),
            request: "r".repeat(128),
            sha256: Sha256([0; 32]),
            made_at: Time::from_unix_ms(0),
            key: [0; 8],
            signature: [0; 64],
        };
        let line = proof.to_line();
        assert!(line.len() <= PROOF_BYTES_MAX, "{}", line.len());
        assert_eq!(Proof::split(line.as_bytes()).map(|split| split.map(|(proof, _)| proof)), Ok(Some(proof)));
    }
}
