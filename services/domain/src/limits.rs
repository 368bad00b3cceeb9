//! Every limit of the v5 service that a rule enforces, by name. Units last. Source: the IoTDA API reference and its
//! limits page; where that names two figures, the newer.

/// Self-registration templates in one instance.
pub const TEMPLATES_PER_INSTANCE_MAX: usize = 10;
/// Device CA certificates in one instance.
pub const CA_CERTIFICATES_PER_INSTANCE_MAX: usize = 100;
/// CAs that one instance distrusts. Rollcall's own: the service has no such list.
pub const DISTRUSTED_CAS_PER_INSTANCE_MAX: usize = 1000;
/// Of those, what one resource space may have distrusted: its operators do not use up what the others need.
pub const DISTRUSTED_CAS_PER_SPACE_MAX: usize = 100;
/// Topic policies in one instance.
pub const POLICIES_PER_INSTANCE_MAX: usize = 50;
/// Policies bound to one device, one product or one resource space.
pub const POLICIES_PER_TARGET_MAX: usize = 5;
/// Statements in one policy.
pub const STATEMENTS_PER_POLICY_MAX: usize = 10;
/// Resources in one statement.
pub const RESOURCES_PER_STATEMENT_MAX: usize = 10;
/// Size of one policy document.
pub const POLICY_DOCUMENT_BYTES_MAX: usize = 10 * 1024;
/// Resource spaces in one instance.
pub const SPACES_PER_INSTANCE_MAX: usize = 10;
/// Products in one instance.
pub const PRODUCTS_PER_INSTANCE_MAX: usize = 1000;
/// Live devices that may be asked for as the most of one instance. What an instance really holds is bounded by its backbone.
pub const DEVICES_PER_INSTANCE_MAX: u64 = 1_000_000_000;
/// Tags on one device.
pub const TAGS_PER_DEVICE_MAX: usize = 10;
/// Retired certificates in one instance, those that are past their end and not forgotten yet included. At this many no device
/// is registered or entered any more; whatever retires one more still may.
pub const RETIRED_PER_INSTANCE_MAX: u64 = 1_000_000;
/// How long a retired certificate is remembered beyond its own notAfter: as far as a connector's clock may be behind, and more.
pub const RETIRED_BEYOND_END_S: i64 = 24 * 3600;
/// Retired certificates in one `RetiredForgotten`.
pub const RETIRED_FORGOTTEN_MAX: usize = 1000;
/// Operators of one fleet.
pub const OPERATORS_MAX: usize = 1000;
/// Access keys of one operator.
pub const ACCESS_KEYS_PER_OPERATOR_MAX: usize = 10;
/// Instances, and resource spaces, that the scope of one operator may name.
pub const SCOPE_IDS_MAX: usize = 100;

/// Characters in an instance id, a space id, a product id, a policy id, a template id or a CA certificate id.
pub const SHORT_ID_CHARS_MAX: usize = 36;
/// Characters in a device id.
pub const DEVICE_ID_CHARS_MAX: usize = 128;
/// Characters in a node id.
pub const NODE_ID_CHARS_MAX: usize = 64;
/// Characters in a device name.
pub const DEVICE_NAME_CHARS_MAX: usize = 256;
/// Characters in the description of a device or a template.
pub const DESCRIPTION_CHARS_MAX: usize = 2048;
/// Digits of the hour (`YYYYMMDDHH`) that ends a client id in the standard form.
pub const STANDARD_FORM_HOUR_DIGITS: usize = 10;
/// Characters in the region of an instance.
pub const REGION_CHARS_MAX: usize = 32;
/// Characters in a product's device type or manufacturer name.
pub const PRODUCT_LABEL_CHARS_MAX: usize = 32;
/// Characters in a product's industry.
pub const PRODUCT_INDUSTRY_CHARS_MAX: usize = 64;
/// Characters in a product's description.
pub const PRODUCT_DESCRIPTION_CHARS_MAX: usize = 128;
/// Characters in an operator's name.
pub const OPERATOR_NAME_CHARS_MAX: usize = 64;
/// Characters in the hash of an operator's password (PHC text).
pub const PASSWORD_HASH_CHARS_MAX: usize = 512;
/// Characters in the description of an access key.
pub const ACCESS_KEY_DESCRIPTION_CHARS_MAX: usize = 128;
/// Characters in an access domain (RFC 1035 2.3.4, without the root's dot).
pub const ACCESS_DOMAIN_CHARS_MAX: usize = 253;
/// Characters between two dots of an access domain (RFC 1035 2.3.4).
pub const DOMAIN_LABEL_CHARS_MAX: usize = 63;
/// Characters of what a check found, as kept with an attempt.
pub const CHECK_DETAIL_CHARS_MAX: usize = 240;
/// Characters in a request id.
pub const REQUEST_ID_CHARS_MAX: usize = 128;
/// Characters in the name of a resource space or a product.
pub const NAME_CHARS_MAX: usize = 64;
/// Characters in the name of a template or a policy.
pub const DOCUMENT_NAME_CHARS_MAX: usize = 128;
/// Characters in a tag key.
pub const TAG_KEY_CHARS_MAX: usize = 64;
/// Characters in a tag value.
pub const TAG_VALUE_CHARS_MAX: usize = 128;
/// Size of a product's service capabilities, as JSON.
pub const SERVICE_CAPABILITIES_BYTES_MAX: usize = 500 * 1024;
/// Size of a device's extension info, as JSON.
pub const EXTENSION_INFO_BYTES_MAX: usize = 1024;

/// How long a CA verification code is good for, in seconds.
pub const VERIFICATION_CODE_LIFETIME_S: i64 = 24 * 3600;
/// Certificates in a chain that a device presents, the device's own included.
pub const CHAIN_CERTIFICATES_MAX: usize = 6;
/// Bytes of all certificates that a device presents, together, unless a connector is told another number.
pub const CHAIN_BYTES_MAX: usize = 32 * 1024;
/// Size of one certificate, DER.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Smallest accepted RSA modulus.
pub const RSA_BITS_MIN: usize = 2048;
/// Largest accepted RSA modulus: a bigger one only buys the sender our CPU time.
pub const RSA_BITS_MAX: usize = 8192;
