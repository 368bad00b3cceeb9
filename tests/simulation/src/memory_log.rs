//! What this crate names of the backbone, in one place.

pub(crate) use rollcall_log::{
    Backbone, BackboneError,
    codec::{AnyEvent, AnyRequest, QueuedRequest, Ruling, encode_request},
    follow::{LogFollower, Step},
    log::{AppendError, Batch, Entry, Followed, Follower, RegistryLog, StreamIdentity},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::{AnnouncedRuling, Delivery, LEASE, Receipt, RequestKind, RequestQueue, Submitted},
    seal::{Digest, Point, SealKeys, SealedLog},
    signing::SigningKey,
};
pub(crate) use rollcall_log_memory::{Control, Faults, MemoryConfig, SplitMix, with_control};
