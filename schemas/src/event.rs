//! What is written into the logs: the body of a record. Type names are those of the domain and never change.
//!
//! A new shape of an event is a new file of structs beside [`v1`], the new name in [`latest`] and a row with its
//! conversion in [`upcast`]; no released shape is ever touched.

pub mod latest;
pub mod upcast;
pub mod v1;
pub mod v2;
