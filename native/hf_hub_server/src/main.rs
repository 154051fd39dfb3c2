//! The Local Hub.
fn main() {}
