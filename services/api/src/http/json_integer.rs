//! Integers in JSON bodies, however they are written: JSON has one kind of number, and `36.0` is 36.
//!
//! Not used for what is passed on as it came, such as the properties of a device. Invariant: nothing is rounded.

use serde::{Deserialize, Deserializer, de};
use serde_json::Number;

/// Up to here (2^53) every whole number is a float; beyond, one float is several numbers.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// For `#[serde(default, deserialize_with = "crate::http::json_integer::optional")]`.
///
/// # Errors
/// For what is no number, not whole, or out of the range of `N`.
pub(crate) fn optional<'de, D: Deserializer<'de>, N: TryFrom<i128>>(reader: D) -> Result<Option<N>, D::Error> {
    let Some(given) = Option::<Number>::deserialize(reader)? else { return Ok(None) };
    let whole = match given.as_f64() {
        // Written out without its fraction, of which there is none.
        Some(float) if given.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT_MAX => {
            format!("{float:.0}").parse().ok()
        }
        Some(_) | None => given.to_string().parse().ok(),
    };
    let fits = whole.and_then(|whole: i128| N::try_from(whole).ok());
    fits.map(Some).ok_or_else(|| de::Error::custom(format!("{given} is not a whole number that can be used here")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Body {
        #[serde(default, deserialize_with = "optional")]
        limit: Option<i64>,
    }

    #[test]
    fn a_number_is_whole_by_its_value_and_not_by_its_spelling() {
        for (given, limit) in [
            (json!({}), None),
            (json!({"limit": null}), None),
            (json!({"limit": 36}), Some(36)),
            (json!({"limit": 36.0}), Some(36)),
            (json!({"limit": -1e3}), Some(-1000)),
            (json!({"limit": i64::MAX}), Some(i64::MAX)),
        ] {
            assert_eq!(serde_json::from_value::<Body>(given).unwrap(), Body { limit });
        }
        for wrong in [json!(0.5), json!("36"), json!(u64::MAX), json!(1e300), json!(-1e18), json!(true)] {
            serde_json::from_value::<Body>(json!({"limit": wrong})).unwrap_err();
        }
    }
}
