//! The two instants of a certificate's validity (RFC 5280 §4.1.2.5), in the only spellings that the RFC allows.

use super::der::{DerFault, Element, GENERALIZED_TIME, Reader, UTC_TIME};
use crate::time::Timestamp;

/// Not before and not after; both instants are inside.
pub(super) fn read(validity: &Element<'_>) -> Result<(Timestamp, Timestamp), DerFault> {
    let mut inside = validity.inside();
    let not_before = instant(&mut inside)?;
    let not_after = instant(&mut inside)?;
    inside.end("something follows notAfter in its validity")?;
    if not_before > not_after {
        return Err(DerFault("its validity ends before it begins"));
    }
    Ok((not_before, not_after))
}

fn instant(reader: &mut Reader<'_>) -> Result<Timestamp, DerFault> {
    let element = reader.next()?;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (digits, rest) = element.content.split_at_checked(2).ok_or(NOT_A_TIME)?;
            let year = number(digits)?;
            // RFC 5280 §4.1.2.5.1: two digits mean 1950 to 2049.
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (digits, rest) = element.content.split_at_checked(4).ok_or(NOT_A_TIME)?;
            (number(digits)?, rest)
        }
        _ => return Err(NOT_A_TIME),
    };
    let [m1, m2, d1, d2, h1, h2, i1, i2, s1, s2, b'Z'] = *rest else { return Err(NOT_A_TIME) };
    let month = number(&[m1, m2])?;
    let day = number(&[d1, d2])?;
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return Err(DerFault("its validity holds a day or a time that does not exist"));
    }
    Ok(Timestamp::from_unix_s(days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second))
}

const NOT_A_TIME: DerFault = DerFault("its validity holds something other than a time in UTC to the second");

fn number(digits: &[u8]) -> Result<i64, DerFault> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + i64::from(digit - b'0')),
        _ => Err(NOT_A_TIME),
    })
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to this day of the Gregorian calendar; years 0 to 9999.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days((year - 1).max(0)) - leap_days(1969);
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tag: u8, text: &str) -> Option<i64> {
        let mut der = vec![tag, text.len() as u8];
        der.extend_from_slice(text.as_bytes());
        instant(&mut Reader::new(&der)).ok().map(Timestamp::unix_s)
    }

    #[test]
    fn instants_are_those_of_the_calendar() {
        assert_eq!(of(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(of(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(of(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(of(GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(of(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        assert_eq!(of(GENERALIZED_TIME, "19691231235959Z"), Some(-1));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["20240230000000Z", "20230229000000Z", "20241301000000Z", "20240101240000Z", "20240101000060Z"] {
            assert_eq!(of(GENERALIZED_TIME, text), None, "{text}");
        }
        for text in ["20240101000000.5Z", "20240101000000+0100", "202401010000Z", "20240101000000", "2024010100000xZ", ""] {
            assert_eq!(of(GENERALIZED_TIME, text), None, "{text}");
        }
        assert_eq!(of(0x13, "20240101000000Z"), None);
    }
}
