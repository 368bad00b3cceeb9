//! How scalars look in JSON: instants, bytes, fingerprints. Each has one form only, so that equal values are equal bytes.

use std::{borrow::Cow, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{Date, Month, OffsetDateTime};

/// An instant: RFC 3339, UTC, milliseconds, such as `2026-11-23T13:12:19.042Z`. Years 0000 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

/// 0000-01-01T00:00:00.000Z, in milliseconds since the Unix epoch.
const FIRST_MS: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z, in milliseconds since the Unix epoch.
const LAST_MS: i64 = 253_402_300_799_999;

impl Time {
    /// From milliseconds since the Unix epoch; an instant that RFC 3339 cannot write becomes the nearest that it can.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms.clamp(FIRST_MS, LAST_MS))
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// Reads the one form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (separators, digits) = ([(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')], 24);
        if bytes.len() != digits || separators.iter().any(|(at, separator)| bytes[*at] != *separator) {
            return None;
        }
        let number = |from: usize, to: usize| -> Option<u16> {
            bytes[from..to]
                .iter()
                .try_fold(0u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))
        };
        let small = |from: usize| number(from, from + 2).and_then(|value| u8::try_from(value).ok());
        let month = Month::try_from(small(5)?).ok()?;
        let date = Date::from_calendar_date(i32::from(number(0, 4)?), month, small(8)?).ok()?;
        let time = time::Time::from_hms_milli(small(11)?, small(14)?, small(17)?, number(20, 23)?).ok()?;
        let instant = date.with_time(time).assume_utc();
        Some(Self(instant.unix_timestamp() * 1000 + i64::from(instant.millisecond())))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In range by construction; the epoch stands in for what cannot happen.
        let instant = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, time) = (instant.date(), instant.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            self.0.rem_euclid(1000)
        )
    }
}

/// Bytes, as standard base64 with padding (RFC 4648 §4): certificates in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

/// A SHA-256 digest: 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A certificate's fingerprint: SHA-256 (64 lower-case hex digits) or SHA-1 (40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// 64 hexadecimal digits.
    Sha256([u8; 32]),
    /// 40 hexadecimal digits.
    Sha1([u8; 20]),
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(bytes) => f.write_str(&hex::encode(bytes)),
            Self::Sha1(bytes) => f.write_str(&hex::encode(bytes)),
        }
    }
}

/// `N` bytes from twice as many lower-case hex digits: upper case would be a second form of the same value.
pub(crate) fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

/// Serialises by `Display` and reads by the given function; a text that it refuses is an error that says what is wanted.
macro_rules! text_form {
    ($name:ident, $expected:literal, $read:expr, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        let read: fn(&str) -> Option<$name> = $read;
                        // The text itself may be a whole certificate: only its length is repeated.
                        read(text)
                            .ok_or_else(|| E::custom(format_args!("a text of {} bytes, expected {}", text.len(), $expected)))
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text_form!(Time, "an instant such as 2026-11-23T13:12:19.042Z", Time::parse, {
    "type": "string",
    "format": "date-time",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
});
text_form!(Base64, "standard base64 with padding", |text| STANDARD.decode(text).ok().map(Base64), {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^[A-Za-z0-9+/]*={0,2}$",
});
text_form!(Sha256, "64 lower-case hex digits", |text| lower_hex(text).map(Sha256), {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
});
text_form!(
    Fingerprint,
    "64 (SHA-256) or 40 (SHA-1) lower-case hex digits",
    |text| match text.len() {
        64 => lower_hex(text).map(Fingerprint::Sha256),
        40 => lower_hex(text).map(Fingerprint::Sha1),
        _ => None,
    },
    {
        "type": "string",
        "pattern": "^([0-9a-f]{64}|[0-9a-f]{40})$",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_one_form() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_439_539_042, "2026-11-23T13:12:19.042Z"),
            (FIRST_MS, "0000-01-01T00:00:00.000Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_unix_ms(ms).to_string(), text);
            assert_eq!(Time::parse(text), Some(Time::from_unix_ms(ms)));
        }
        assert_eq!(Time::from_unix_ms(i64::MAX).unix_ms(), LAST_MS);
        assert_eq!(Time::from_unix_ms(i64::MIN).unix_ms(), FIRST_MS);
    }

    #[test]
    fn other_forms_of_an_instant_are_refused() {
        for text in [
            "",
            "2026-11-23T13:12:19Z",
            "2026-11-23T13:12:19.042+00:00",
            "2026-11-23t13:12:19.042z",
            "2026-02-29T00:00:00.000Z",
            "2026-11-23T24:00:00.000Z",
            "2026-11-23T13:12:60.000Z",
            "2026-11-23T13:12:1é.42Z",
            "+026-11-23T13:12:19.042Z",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn other_forms_of_bytes_and_digests_are_refused() {
        let refused = |json: &str| serde_json::from_str::<Fingerprint>(json).expect_err(json).to_string();
        assert!(refused(&format!("\"{}\"", "AB".repeat(32))).contains("lower-case hex"));
        assert!(refused("\"\"").contains("expected 64"));
        assert!(refused("7").contains("expected 64"));
        for text in ["\"QQ\"", "\"QR==\"", "\"Q Q=\"", "\"-_==\""] {
            assert!(serde_json::from_str::<Base64>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Base64>("\"QQ==\"").expect("base64"), Base64(b"A".to_vec()));
    }
}
