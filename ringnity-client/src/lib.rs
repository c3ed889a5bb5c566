//! Typed client.

#[rustfmt::skip]
pub mod generated;
pub mod runtime;

pub use generated::*;
pub use runtime::*;
