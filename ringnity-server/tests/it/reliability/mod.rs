//! What must not fail: one file for each promise R1 to R8 that is about the running server. Each prints what it
//! did, so that a reader of the output sees what the verdict stands on.

mod load;
mod r1_kill;
mod r2_writers;
mod r3_once;
mod r4_outage;
mod r5_two_nodes;
mod r8_terminate;

/// A random number below `limit`.
fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % limit
}
