//! Xet storage over HTTP: uploads that are made up here, byte by byte, and what becomes of them.
#![cfg(feature = "xet")]

#[path = "../common/mod.rs"]
mod common;
mod crafted;
mod hostile;
#[expect(dead_code, reason = "shared with the tests of writing")]
#[path = "../writing/hub.rs"]
mod hub;
mod storage;
mod tokens;
mod uploads;
