//! What things cost on a real etcd: requests, messages, bytes and watches, counted by a proxy and by the server itself.
//!
//! Nothing here is read from the code. Each test prints what was counted on lines that begin with `counted:`
//! (`cargo test -p reception-tests --test costs -- --nocapture`), from which `docs/performance.md` quotes. A request is a message
//! that a client sends: a plain call is one, and so is each message on a stream. `controls.rs` shows that the bounds bite: clients
//! written the naive way, counted in the same manner, each break the bound that they are made against.
#![expect(clippy::expect_used, clippy::panic, reason = "tests panic")]

mod bounds;
mod controls;
mod exit;
mod fanout;
mod hand_over;
mod idle;
mod reader;
mod reconnect;
mod register;
mod stage;
mod watch;
