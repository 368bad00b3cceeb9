//! CA certificates, version 2: a deletion says whether the CA itself is distrusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::v1;

/// It is gone; what it issued is no longer let in by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaDeleted {
    /// The CA certificate, by its id.
    pub ca: String,
    /// Whether it went because the CA, which is a name and a key, is not believed any more, rather than because this
    /// certificate of it is not needed. A CA that is distrusted vouches for nothing, wherever it stands above a certificate,
    /// until the space that it was deleted in has verified a certificate of it again.
    pub distrust: bool,
}

impl From<v1::CaDeleted> for CaDeleted {
    fn from(written: v1::CaDeleted) -> Self {
        Self { ca: written.ca, distrust: false }
    }
}
