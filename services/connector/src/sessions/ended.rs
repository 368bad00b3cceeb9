//! What is still to be done for sessions that have ended: wills to publish, kept sessions to let expire.
//!
//! A will is a document from before CONNACK until it is published or the client says goodbye, so it outlives its
//! connector. Whoever ends the session publishes it: the connector that has it, or, when that one's presence lease has run
//! out, any other. Invariants: who publishes has claimed the document first, so a will is published once as long as no
//! connector dies in the middle and none has to publish it again because storing it was not acknowledged, and not at all once its
//! document is gone; it is published only if the device could publish it then; and no document of a will stays behind, also not
//! one whose write was reported as failed.
//!
//! Read [`will`] (what is kept), [`begin`] and [`keep`] (before CONNACK, and again), [`schedule`] (what is due when: [`work`] within the
//! bounds of [`entries`]), [`finish`] (doing it: [`publish`], [`discard`]), then [`orphans`] (what connectors that are gone have left,
//! by what [`shown`] has of presence).

pub(crate) mod begin;
mod discard;
mod entries;
pub(crate) mod finish;
pub(crate) mod keep;
pub(crate) mod orphans;
mod publish;
pub(crate) mod schedule;
mod shown;
pub(crate) mod will;
mod work;
