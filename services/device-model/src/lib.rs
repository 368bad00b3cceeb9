//! What devices and the platform say to each other beside the registry: shadows, messages that wait, reports, and the
//! system topics that all of it travels on.
//!
//! The job: the documents' shapes and what each step does to them. Does not do I/O, read a clock, or know HTTP, MQTT
//! packets and the log: `devices` reads and writes, `api` shows.
//!
//! The trust boundary: payloads of devices are read here ([`report`], [`event`], [`topics`]) and believed in nothing but what they say
//! of that device.
//!
//! Read [`topics`], then [`shadow`] with [`report`], then [`message`] and [`message_queue`]; [`claim`] and [`document`] are
//! what shadow and queue have in common. Their JSON is what version 0.1 wrote down, and stays readable.

pub mod claim;
pub mod document;
pub mod event;
pub mod message;
pub mod message_queue;
pub mod report;
pub mod shadow;
pub mod times;
pub mod topics;
