//! Checks on the repository itself: see `tests/tidy.rs`. Nothing here is compiled into anything else.
