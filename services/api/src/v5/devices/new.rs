//! The body of AddDevice, read into a command.
//!
//! Does not apply the rules, which are the registrar's. Invariant: a secret that was sent is checked for its form and then
//! dropped: it is in no command, answer, error or log line.

use rollcall_domain::{
    ids::{DeviceId, NodeId, ProductId},
    registry::{
        Command,
        event::{DeclaredCredential, DeviceProfile},
    },
    text,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, Schema, SchemaType, Type},
};

use super::fingerprint;
use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError},
    v5::{
        products,
        services::{self, SERVICES_MAX},
    },
};

/// Characters of a secret.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 8..=32;

/// What a device is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewDevice {
    /// Its id; `<product_id>_<node_id>` when absent.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    device_id: Option<String>,
    /// What its owner calls it: a serial number, MAC address or IMEI.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    node_id: String,
    /// Its name.
    #[schema(max_length = 256, pattern = "^[A-Za-z0-9\u{4e00}-\u{9fa5}_?'#().,&%@! -]*$")]
    device_name: Option<String>,
    /// Its product.
    #[schema(min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_-]+$")]
    product_id: String,
    /// How it proves who it is; by a secret when absent.
    auth_info: Option<AuthInfo>,
    /// Its description.
    #[schema(max_length = 2048, pattern = "^[A-Za-z0-9\u{4e00}-\u{9fa5}_?'#().,&%@! -]*$")]
    description: Option<String>,
    /// The gateway that it is behind. Only its own id, which makes it the direct device that it is anyway.
    #[schema(max_length = 128, pattern = "^[A-Za-z0-9_-]*$")]
    gateway_id: Option<String>,
    /// The resource space of its product; when absent, the default one if it has such a product, else the one with the
    /// oldest product of this id.
    #[schema(max_length = 36, pattern = "^[A-Za-z0-9_-]*$")]
    app_id: Option<String>,
    /// Anything else about it, at most 1 KB of JSON.
    #[schema(value_type = Option<Object>)]
    extension_info: Option<Map<String, Value>>,
    /// Property values that it is to take on when it connects.
    #[schema(max_items = 500)]
    shadow: Option<Vec<InitialDesired>>,
}

/// How a device is to prove who it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct AuthInfo {
    /// By a secret when absent.
    auth_type: Option<AuthType>,
    /// Taken for `SECRET`, and not kept: Rollcall lets no device in by a secret.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")]
    secret: Option<SecretString>,
    /// The fingerprint of its certificate, for `CERTIFICATES`: SHA-1 (40) or SHA-256 (64 hex digits). When absent, the
    /// first certificate that it connects with becomes it.
    #[schema(pattern = "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")]
    fingerprint: Option<String>,
    /// The fingerprint of a spare certificate, as above.
    #[schema(pattern = "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")]
    secondary_fingerprint: Option<String>,
    #[schema(schema_with = only_true)]
    secure_access: Option<bool>,
    /// `0`: a device that never connects is kept.
    #[schema(default = 0, minimum = 0, maximum = 0)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    timeout: Option<i64>,
}

/// How a device connects; each has one value that can be.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Connecting {
    #[schema(schema_with = only_true)]
    secure_access: Option<bool>,
    /// `0`: a device that never connects is kept.
    #[schema(default = 0, minimum = 0, maximum = 0)]
    #[serde(default, deserialize_with = "crate::http::json_integer::optional")]
    timeout: Option<i64>,
}

fn only_true() -> Schema {
    let text = "`true`: a device connects by TLS or not at all";
    let kinds = SchemaType::from_iter([Type::Boolean, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).enum_values(Some([Some(true), None])).description(Some(text)).into()
}

/// What a device proves who it is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum AuthType {
    /// A secret: such a device is kept in the registry and never let in.
    Secret,
    /// Certificates.
    Certificates,
}

/// Property values that a device is to take on.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InitialDesired {
    /// Of which service.
    #[schema(min_length = 1, max_length = 64)]
    pub(super) service_id: String,
    /// Values by property.
    #[schema(value_type = Object)]
    pub(super) desired: Map<String, Value>,
}

/// A device to be added.
pub(super) struct DeviceToAdd {
    pub(super) device: DeviceId,
    pub(super) command: Command,
    /// The initial desired values of its shadow.
    pub(super) shadow: Vec<InitialDesired>,
}

impl NewDevice {
    /// Reads it.
    ///
    /// # Errors
    /// For a field that breaks its rule, a product that does not exist, or what is not offered.
    pub(super) fn read(self, context: &InstanceContext) -> Result<DeviceToAdd, ApiError> {
        let node_id = NodeId::parse(&self.node_id).map_err(|error| ApiError::invalid("node_id", error))?;
        let product = ProductId::parse(&self.product_id).map_err(|error| ApiError::invalid("product_id", error))?;
        let device = self.device_id.unwrap_or_else(|| format!("{product}_{node_id}"));
        let device = DeviceId::parse(&device).map_err(|error| ApiError::invalid("device_id", error))?;
        if let Some(gateway) = self.gateway_id.filter(|gateway| !gateway.is_empty() && **gateway != *device.as_str()) {
            let text = format!("gateway_id is {gateway:?}: every device is a direct one, so leave it out or give {device}");
            return Err(ApiError::new(Code::NotOffered, text));
        }
        let credential = self.auth_info.unwrap_or_default().credential()?;
        let shadow = self.shadow.unwrap_or_default();
        check_shadow(&shadow)?;
        let (space, product) = products::resolve(context, product.as_str(), self.app_id.as_deref())?;
        let profile = DeviceProfile {
            device: device.clone(),
            node_id,
            space,
            product,
            name: self.device_name.map(Into::into),
            tags: Vec::new(),
            policies: Vec::new(),
        };
        let description = self.description.map(Into::into);
        let extension_info = self.extension_info.map(|info| Value::Object(info).to_string().into());
        Ok(DeviceToAdd {
            device,
            command: Command::PreRegisterDevice { profile, credential, description, extension_info },
            shadow,
        })
    }
}

impl AuthInfo {
    fn credential(self) -> Result<DeclaredCredential, ApiError> {
        Connecting { secure_access: self.secure_access, timeout: self.timeout }.check()?;
        if let Some(secret) = &self.secret {
            check_secret(secret)?;
        }
        let read = |field, text: Option<String>| text.map(|text| fingerprint::read(field, &text)).transpose();
        let primary = read("auth_info.fingerprint", self.fingerprint)?;
        let secondary = read("auth_info.secondary_fingerprint", self.secondary_fingerprint)?;
        match self.auth_type.unwrap_or(AuthType::Secret) {
            AuthType::Certificates => Ok(DeclaredCredential::Certificates { primary, secondary }),
            AuthType::Secret if primary.is_none() && secondary.is_none() => Ok(DeclaredCredential::Secret),
            AuthType::Secret => {
                let rule = "is for a device with certificates: give auth_type CERTIFICATES, or leave it out";
                Err(ApiError::invalid("auth_info.fingerprint", rule))
            }
        }
    }
}

impl Connecting {
    /// Whether it asks for what can be.
    ///
    /// # Errors
    /// [`Code::NotOffered`].
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.secure_access == Some(false) {
            let text = "auth_info.secure_access is false: devices connect by TLS only, so leave it out or give true";
            return Err(ApiError::new(Code::NotOffered, text));
        }
        match self.timeout {
            None | Some(0) => Ok(()),
            Some(timeout) => {
                let text = format!("auth_info.timeout is {timeout}: devices are kept until they are deleted, so give 0");
                Err(ApiError::new(Code::NotOffered, text))
            }
        }
    }
}

fn check_secret(secret: &SecretString) -> Result<(), ApiError> {
    let secret = secret.expose_secret();
    if SECRET_CHARS.contains(&secret.len()) && text::is_id(secret) {
        return Ok(());
    }
    Err(ApiError::invalid("auth_info.secret", "give 8 to 32 letters, digits, '_' and '-'"))
}

fn check_shadow(shadow: &[InitialDesired]) -> Result<(), ApiError> {
    if shadow.len() > SERVICES_MAX {
        return Err(ApiError::invalid("shadow", format!("give at most {SERVICES_MAX} services")));
    }
    for (index, initial) in shadow.iter().enumerate() {
        services::check_id(&format!("shadow[{index}].service_id"), &initial.service_id)?;
        if shadow.iter().take(index).any(|other| other.service_id == initial.service_id) {
            return Err(ApiError::invalid(&format!("shadow[{index}].service_id"), "is given twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(auth_info: Value) -> Result<DeclaredCredential, ApiError> {
        serde_json::from_value::<AuthInfo>(auth_info).unwrap().credential()
    }

    #[test]
    fn a_device_has_a_secret_unless_it_says_certificates() {
        use serde_json::json;
        assert_eq!(credential(json!({})).unwrap(), DeclaredCredential::Secret);
        assert_eq!(credential(json!({"secret": "12345678", "timeout": 0})).unwrap(), DeclaredCredential::Secret);
        let certificates = credential(json!({"auth_type": "CERTIFICATES", "secure_access": true})).unwrap();
        assert_eq!(certificates, DeclaredCredential::Certificates { primary: None, secondary: None });
        for (wrong, code) in [
            (json!({"secret": "1234567"}), Code::InvalidInput),
            (json!({"secret": "12345678 "}), Code::InvalidInput),
            (json!({"fingerprint": "ab".repeat(20)}), Code::InvalidInput),
            (json!({"auth_type": "CERTIFICATES", "fingerprint": "ab"}), Code::InvalidInput),
            (json!({"secure_access": false}), Code::NotOffered),
            (json!({"timeout": 60}), Code::NotOffered),
        ] {
            let error = credential(wrong.clone()).unwrap_err();
            assert_eq!(error.code, code, "{wrong}");
            assert!(!error.message.contains("1234567"), "{}", error.message);
        }
    }
}
