//! Calls to other systems, each behind a trait. Never called inside a write of the store.

pub mod google;
pub mod jwks;
