//! What this crate names of the backbone, in one place.

pub(crate) use rollcall_log::{
    Backbone,
    codec::{AnyEvent, AnyRequest, QueuedRequest, Ruling, encode_request},
    documents::DocumentKey,
    follow::{LogFollower, Step},
    log::RegistryLog,
    messages::{DeviceMessage, Lane, MessageCursor, MessageProperties, MessagesOf, Replayed},
    proof::{Bound, incarnation, prove},
    request_client::RequestClient,
    requests::RequestKind,
    seal::{Digest, Point, SealKeys, SealedLog},
    signing::SigningKey,
};
pub(crate) use rollcall_log_memory::{
    Control, Faults, MemoryConfig, SplitMix,
    link::{Link, Sight},
    with_control,
};
