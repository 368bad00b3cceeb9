//! Products, version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the v5 API keeps of a product beside its id and space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductDetails {
    /// Name, up to 64 characters.
    pub name: String,
    /// Device type, up to 32 characters.
    pub device_type: String,
    /// `MQTT`, `CoAP`, ….
    pub protocol_type: String,
    /// `json` or `binary`.
    pub data_format: String,
    /// Manufacturer, up to 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer_name: Option<String>,
    /// Industry, up to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// Description, up to 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The service capabilities as JSON text, as they were sent.
    pub service_capabilities: String,
}

/// A product exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductCreated {
    /// The resource space.
    pub space: String,
    pub product: String,
    /// What is said of it.
    pub details: ProductDetails,
}

/// The whole of what it says now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductUpdated {
    /// The resource space.
    pub space: String,
    pub product: String,
    /// What is said of it.
    pub details: ProductDetails,
}

/// It is gone; no device belonged to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductDeleted {
    /// The resource space.
    pub space: String,
    pub product: String,
}
