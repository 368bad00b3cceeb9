//! Routes: operations with their document, as `v5` and `rollcall_v1` hand them to the router.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::state::Api;

pub(crate) type Routes = OpenApiRouter<Arc<Api>>;
