//! The bench program of Reception.

fn main() {}
