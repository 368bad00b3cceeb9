//! The service capabilities of a product: their shape, checked once where they come in.
//!
//! Does not interpret them: no device is held to them, and they are stored as they were given, unknown fields included.
//! Invariant: what is stored has the shape that clients of the v5 API read.

use rollcall_domain::limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    http::{error::ApiError, extract::Objects},
    v5::services::SERVICES_MAX,
};

/// Characters of a service's id and of its type.
const NAME_CHARS_MAX: usize = 64;

/// One service of a device.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceCapability {
    /// Its id.
    #[schema(min_length = 1, max_length = 64)]
    service_id: String,
    /// What kind of service it is.
    #[schema(min_length = 1, max_length = 64)]
    service_type: String,
    /// What can be read and set.
    properties: Option<Vec<ServiceProperty>>,
    /// What can be asked of it.
    commands: Option<Vec<ServiceCommand>>,
    /// What it tells by itself.
    events: Option<Vec<ServiceEvent>>,
    /// For people.
    description: Option<String>,
    /// `Master`, `Mandatory` or `Optional`.
    option: Option<ServiceOption>,
}

/// How much a service is needed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
enum ServiceOption {
    Master,
    Mandatory,
    Optional,
}

/// What kind of value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
enum DataType {
    #[serde(rename = "int")]
    Int,
    #[serde(rename = "long")]
    Long,
    #[serde(rename = "decimal")]
    Decimal,
    #[serde(rename = "string")]
    String,
    DateTime,
    #[serde(rename = "jsonObject")]
    JsonObject,
    #[serde(rename = "enum")]
    Enum,
    #[serde(rename = "boolean")]
    Boolean,
    #[serde(rename = "string list")]
    StringList,
}

/// What may be done with a property.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum PropertyMethod {
    Rwe,
    Rw,
    Re,
    We,
    E,
    W,
    R,
}

/// A property.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct ServiceProperty {
    /// Its name.
    property_name: String,
    /// What kind of value it has.
    data_type: DataType,
    /// Whether every report has it.
    required: Option<bool>,
    /// The values of an enumeration.
    enum_list: Option<Vec<String>>,
    /// Least value.
    min: Option<String>,
    /// Greatest value.
    max: Option<String>,
    /// Most characters.
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    max_length: Option<i64>,
    /// Distance of values.
    step: Option<f64>,
    /// In what it is measured.
    unit: Option<String>,
    /// Read, write, report.
    method: PropertyMethod,
    /// For people.
    description: Option<String>,
    /// What it is when nobody has said.
    default_value: Option<Value>,
}

/// A command.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct ServiceCommand {
    /// Its name.
    command_name: String,
    /// What it takes.
    paras: Option<Vec<ServicePara>>,
    /// What it answers with.
    responses: Option<Vec<ServiceCommandResponse>>,
}

/// What a command answers with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct ServiceCommandResponse {
    /// Its name.
    response_name: String,
    /// What is in it.
    paras: Option<Vec<ServicePara>>,
}

/// An event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct ServiceEvent {
    /// Its kind.
    event_type: String,
    /// What is in it.
    paras: Option<Vec<ServicePara>>,
}

/// A value that goes with a command, its answer or an event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct ServicePara {
    /// Its name.
    para_name: String,
    /// What kind of value it is.
    data_type: DataType,
    /// Whether it must be there.
    required: Option<bool>,
    /// The values of an enumeration.
    enum_list: Option<Vec<String>>,
    /// Least value.
    min: Option<String>,
    /// Greatest value.
    max: Option<String>,
    /// Most characters.
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    max_length: Option<i64>,
    /// Distance of values.
    step: Option<f64>,
    /// In what it is measured.
    unit: Option<String>,
    /// For people.
    description: Option<String>,
}

/// The JSON text to be stored.
///
/// # Errors
/// [`InvalidInput`](crate::Code::InvalidInput) with the path of the first field that does not fit.
pub(super) fn checked(given: Vec<Value>) -> Result<Box<str>, ApiError> {
    if given.len() > SERVICES_MAX {
        let rule = format!("has {} services: at most {SERVICES_MAX} are allowed", given.len());
        return Err(ApiError::invalid("service_capabilities", rule));
    }
    for (index, service) in given.iter().enumerate() {
        let path = |inner: &str| format!("service_capabilities[{index}]{inner}");
        // serde would also take a list of a struct's values in their order.
        if !service.is_object() {
            return Err(ApiError::invalid(&path(""), "is not an object"));
        }
        let service: ServiceCapability = serde_path_to_error::deserialize(Objects(service)).map_err(|error| {
            let inner = error.path().to_string();
            let inner = if inner == "." { String::new() } else { format!(".{inner}") };
            ApiError::invalid(&path(&inner), error.into_inner())
        })?;
        for (field, text) in [(".service_id", &service.service_id), (".service_type", &service.service_type)] {
            let chars = text.chars().count();
            if !(1..=NAME_CHARS_MAX).contains(&chars) {
                return Err(ApiError::invalid(&path(field), format!("has {chars} characters: give 1 to {NAME_CHARS_MAX}")));
            }
        }
    }
    let text = Value::Array(given).to_string();
    let (bytes, max) = (text.len(), limits::SERVICE_CAPABILITIES_BYTES_MAX);
    if bytes > max {
        let rule = format!("has {bytes} bytes of JSON: at most {max} are allowed");
        return Err(ApiError::invalid("service_capabilities", rule));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_the_shape_is_kept_as_it_was_given() {
        let given = json!([{
            "service_id": "Light", "service_type": "Light", "own": {"kept": [1, 2.5, null]}, "option": "Master",
            "properties": [{"property_name": "on", "data_type": "boolean", "required": false, "method": "RW"}],
            "commands": [{"command_name": "SET", "paras": [
                {"para_name": "v", "data_type": "string list", "min": "0", "max": "9", "step": 0.5},
            ]}],
        }]);
        let Value::Array(services) = given.clone() else { panic!("a list") };
        let kept = checked(services).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), given);
        assert_eq!(&*checked(Vec::new()).unwrap(), "[]");
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let service = |more: Value| {
            let mut service = json!({"service_id": "s", "service_type": "t"});
            service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            service
        };
        let property = json!({"properties": [{"property_name": "on", "data_type": "bool", "method": "R"}]});
        let cases = [
            (json!("s"), "service_capabilities[1]: is not an object"),
            (json!({"service_id": "s"}), "service_capabilities[1]: missing field `service_type`"),
            (service(json!({"service_id": ""})), "service_capabilities[1].service_id: has 0 characters"),
            (service(json!({"commands": {}})), "service_capabilities[1].commands: "),
            (service(property), "service_capabilities[1].properties[0].data_type: unknown variant `bool`"),
        ];
        for (wrong, expected) in cases {
            let error = checked(vec![service(json!({})), wrong]).unwrap_err();
            assert!(error.message.contains(expected), "{}", error.message);
        }
        let many = checked(vec![service(json!({})); SERVICES_MAX + 1]).unwrap_err();
        assert!(many.message.contains("at most 500"), "{}", many.message);
        let large = checked(vec![service(json!({"description": "x".repeat(513 * 1024)}))]).unwrap_err();
        assert!(large.message.contains("bytes of JSON"), "{}", large.message);
    }
}
