//! What this crate names of the backbone, in one place.

pub(crate) use rollcall_backbone::{
    Backbone, BackboneError,
    codec::{AnyEvent, AnyRequest, QueuedRequest, Ruling, encode_request},
    follow::{LogFollower, Step},
    log::{AppendError, Batch, Entry, Followed, Follower, RegistryLog, StreamIdentity},
    memory::{Control, Faults, MemoryConfig, SplitMix, with_control},
    petition::Petitioner as RequestClient,
    proof::{Bound, incarnation, prove},
    requests::{AnnouncedRuling, Delivery, LEASE, Receipt, RequestKind, RequestQueue, Submitted},
    seal::{Digest, Point, SealKeys, SealedLog},
    signing::SigningKey,
};
