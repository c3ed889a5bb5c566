//! What all operations share: invalid input, rate limits, idempotency keys, listeners, and the reference pages.

mod docs;
mod idempotency;
mod input;
pub mod limits;
mod listeners;
