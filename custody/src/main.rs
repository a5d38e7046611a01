//! The custody service.

fn main() {}
