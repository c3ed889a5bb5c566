//! Data types of the Ringnity Developer Platform, generated from its OpenAPI contract.
//!
//! Every schema of the contract is a type here, and so is every inline object and list of values, under a
//! name of its own. Types are tolerant readers: they keep members and values that a later contract adds
//! wherever the contract lets it add some, and they do not refuse a value for its length or range; a server
//! checks those at its boundary.
//!
//! - A member that may be absent is an [`Option`]; one that may be absent *or null* is a [`Field`].
//! - An optional list tells absent (`None`) from empty (`Some(vec![])`).
//! - Enums that a server sends have an `Unknown` variant; enums of requests do not.
//! - Constants are types of one value: [`ConstTrue`], [`ConstFalse`].
//! - `new` takes the members that must be there, so that a request reads
//!   `ContactInput { email: Some(mail), ..ContactInput::new("Ada", "+44 20 7946 0000") }`.
//!
//! No HTTP and no database here.

#[rustfmt::skip]
mod generated;
pub mod support;

pub use generated::*;
pub use support::{ConstFalse, ConstTrue, Field, UnknownValue};

/// Compile tests: what must not compile, beside what must.
#[cfg(doctest)]
#[doc = include_str!("../tests/compile_fail.md")]
struct CompileFailTests;
