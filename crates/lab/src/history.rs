//! What happened, as lines that several processes append to one file.
//!
//! ```text
//! contender ──Recorder──┐
//! contender ──Recorder──┼──► one file, O_APPEND ──read──► lines
//! driver ─────Recorder──┘
//! ```
//!
//! A line is `NS PID EVENT TOKEN [key=value ..]`: the boot clock in nanoseconds, the process that it is
//! about, a word of [`Event`], the fencing token or `-`, and details. Nothing here knows the library
//! under test: a contender in any language can write the same lines.

mod check;
mod details;
mod event;
mod line;
mod reader;
mod recorder;
mod token;

pub use self::{
    check::{Bounds, Violation, check},
    details::Details,
    event::Event,
    line::{Line, LineError},
    reader::{Reader, read},
    recorder::{Recorder, boot_ns},
    token::Token,
};
