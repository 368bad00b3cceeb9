//! Rollcall as its users see it: `rollcall` processes, a real nats-server, client libraries that are not ours and openssl as devices.
//!
//! One file for each thing that a user would say Rollcall does. A test asserts what a user could see: CONNACK codes and
//! reason strings, messages, the records of the log. What only a broken client would send is sent by [`rollcall_harness::raw`].
//! An `f<n>_` in a test's name is the failure mode that it would have caught.

mod accounts;
mod added_instance;
mod api_guide;
mod backbone_away;
mod browser_sessions;
mod bursts;
mod closed_sessions;
mod crashes;
mod deploy_up;
mod device_clients;
mod distrust;
mod embedded_stacks;
mod first_connection;
mod fleet_file;
mod forged_commands;
mod forged_records;
mod identity;
mod limits;
mod log_command;
mod matrix;
mod messages;
mod openapi;
mod policies;
mod refusals;
mod released;
mod restored_log;
mod sdk;
mod separate_processes;
mod sessions;
mod stopped_connector;
mod stream;
mod thousand_instances;
mod tool;
mod two_instances;
mod unwritable_log;
mod uplinks;
