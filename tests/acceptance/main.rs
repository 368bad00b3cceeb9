//! Rollcall as its users see it: `rollcall` processes, a real nats-server, mosquitto, paho and openssl as devices.
//!
//! One file for each thing that a user would say Rollcall does. A test asserts what a user could see: CONNACK codes and
//! reason strings, messages, the records that `rollcall up --output json` shows.

mod first_connection;
