//! What is still to be done for sessions that have ended: wills to publish, kept sessions to let expire.
//!
//! A will is a document from before CONNACK until it is published or the client says goodbye, so it outlives its
//! connector. Whoever ends the session publishes it: the connector that has it, or, when that one's presence lease has run
//! out, any other. Invariants: who publishes has claimed the document first, so a will is published once as long as no
//! connector dies in the middle, and not at all once its document is gone; and it is published only if the device could
//! publish it then.
//!
//! Read [`will`] (what is kept), [`begin`] and [`keep`] (before CONNACK), [`schedule`] (what is due when), [`finish`] (doing it), then
//! [`orphans`] (what connectors that are gone have left).

pub(crate) mod begin;
pub(crate) mod finish;
pub(crate) mod keep;
pub(crate) mod orphans;
pub(crate) mod schedule;
pub(crate) mod will;
