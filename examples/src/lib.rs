//! The programs are in `examples/examples`; this crate has no code of its own.
