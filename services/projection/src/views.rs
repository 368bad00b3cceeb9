//! Who is followed: the views of a process, each kept up by one task from its instance's log.
//!
//! What is looked up in a view is [`admission`](crate::admission)'s and [`directory`](crate::directory)'s.

mod follow;
mod state;
mod status;
mod store;
mod view_error;

pub(crate) use self::state::ViewState;
pub use self::{
    status::{Applied, LogProof, ViewHealth, ViewStatus},
    store::Store,
    view_error::ViewError,
};
