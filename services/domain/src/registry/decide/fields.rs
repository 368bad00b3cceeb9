//! What a field of a command may hold: lengths and character sets of the v5 API. Text is never changed, only refused.

use crate::{limits, registry::state::ProductDetails, rejection::Rejection, template::Tag, text};

pub(super) fn invalid(field: impl Into<String>, rule: String) -> Rejection {
    Rejection::InvalidField { field: field.into(), rule }
}

/// 1 to `max` of the characters of names; `min` 0 allows none at all.
fn name(field: &str, value: &str, min: usize, max: usize) -> Result<(), Rejection> {
    let chars = value.chars().count();
    if chars < min || chars > max {
        return Err(invalid(field, format!("has {chars} characters: give {min} to {max}")));
    }
    if !text::is_name(value) {
        return Err(invalid(field, "only Chinese characters, letters, digits, blanks and _?'#().,&%@!- are allowed".into()));
    }
    Ok(())
}

pub(super) fn operator_name(value: &str) -> Result<(), Rejection> {
    let max = limits::OPERATOR_NAME_CHARS_MAX;
    if value.is_empty() || value.chars().count() > max || value.chars().any(char::is_control) {
        return Err(invalid("actor", format!("an operator has a name of 1 to {max} characters without control characters")));
    }
    Ok(())
}

pub(super) fn space_name(value: &str) -> Result<(), Rejection> {
    name("app_name", value, 1, limits::NAME_CHARS_MAX)
}

pub(super) fn template_name(value: &str) -> Result<(), Rejection> {
    name("template_name", value, 1, limits::DOCUMENT_NAME_CHARS_MAX)?;
    if !value.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Err(invalid("template_name", "only Chinese characters, letters, digits, '_' and '-' are allowed".into()));
    }
    Ok(())
}

pub(super) fn description(value: &str) -> Result<(), Rejection> {
    name("description", value, 0, limits::DESCRIPTION_CHARS_MAX)
}

pub(super) fn device_name(value: &str) -> Result<(), Rejection> {
    name("device_name", value, 0, limits::DEVICE_NAME_CHARS_MAX)
}

pub(super) fn extension_info(value: &str) -> Result<(), Rejection> {
    let (bytes, max) = (value.len(), limits::EXTENSION_INFO_BYTES_MAX);
    if bytes > max {
        return Err(invalid("extension_info", format!("has {bytes} bytes of JSON: at most {max} are allowed")));
    }
    Ok(())
}

const PROTOCOL_TYPES: [&str; 11] =
    ["MQTT", "CoAP", "HTTP", "HTTPS", "Modbus", "ONVIF", "OPC-UA", "OPC-DA", "Other", "TCP", "UDP"];
const DATA_FORMATS: [&str; 2] = ["json", "binary"];

pub(super) fn product_details(details: &ProductDetails) -> Result<(), Rejection> {
    name("name", &details.name, 1, limits::NAME_CHARS_MAX)?;
    name("device_type", &details.device_type, 1, limits::PRODUCT_LABEL_CHARS_MAX)?;
    one_of("protocol_type", &details.protocol_type, &PROTOCOL_TYPES)?;
    one_of("data_format", &details.data_format, &DATA_FORMATS)?;
    let optional = [
        ("manufacturer_name", &details.manufacturer_name, limits::PRODUCT_LABEL_CHARS_MAX),
        ("industry", &details.industry, limits::PRODUCT_INDUSTRY_CHARS_MAX),
        ("description", &details.description, limits::PRODUCT_DESCRIPTION_CHARS_MAX),
    ];
    for (field, value, max) in optional {
        name(field, value.as_deref().unwrap_or_default(), 0, max)?;
    }
    let (bytes, max) = (details.service_capabilities.len(), limits::SERVICE_CAPABILITIES_BYTES_MAX);
    if bytes > max {
        return Err(invalid("service_capabilities", format!("has {bytes} bytes of JSON: at most {max} are allowed")));
    }
    Ok(())
}

fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), Rejection> {
    if allowed.contains(&value) { Ok(()) } else { Err(invalid(field, format!("give one of {}", allowed.join(", ")))) }
}

/// Tags as a device keeps them: sorted by key, each key once.
pub(super) fn tags(tags: &[Tag]) -> Result<Vec<Tag>, Rejection> {
    for (index, tag) in tags.iter().enumerate() {
        tag_text(&format!("tags[{index}].tag_key"), &tag.key, limits::TAG_KEY_CHARS_MAX)?;
        tag_text(&format!("tags[{index}].tag_value"), &tag.value, limits::TAG_VALUE_CHARS_MAX)?;
        if tag.key.starts_with("iot_") {
            return Err(invalid(format!("tags[{index}].tag_key"), "keys that begin with iot_ are reserved".into()));
        }
    }
    let mut sorted = tags.to_vec();
    sorted.sort();
    if let Some(twins) = sorted.windows(2).find(|pair| pair[0].key == pair[1].key) {
        return Err(invalid("tags", format!("the key {:?} is given twice", twins[0].key)));
    }
    Ok(sorted)
}

/// # Errors
/// [`Rejection::LimitReached`] beyond what one device may have.
pub(super) fn tags_per_device(tags: &[Tag]) -> Result<(), Rejection> {
    limit(tags.len(), limits::TAGS_PER_DEVICE_MAX, "tags on this device")
}

fn tag_text(field: &str, value: &str, max: usize) -> Result<(), Rejection> {
    let chars = value.chars().count();
    if chars == 0 || chars > max {
        return Err(invalid(field, format!("has {chars} characters: give 1 to {max}")));
    }
    if !text::is_tag(value) {
        return Err(invalid(field, "only Chinese characters, letters, digits and _.- are allowed".into()));
    }
    Ok(())
}

/// Refuses `count` of something if that is more than `max`.
pub(super) fn limit(count: usize, max: usize, what: &'static str) -> Result<(), Rejection> {
    if count > max { Err(Rejection::LimitReached { what, max: max as u64 }) } else { Ok(()) }
}
