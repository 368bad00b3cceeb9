//! connector

pub mod mqtt;
