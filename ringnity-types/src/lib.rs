//! Data types of the Ringnity Developer Platform, generated from its OpenAPI contract.
//!
//! There is a type for every schema of the contract, and for every inline object and enum. The crate depends on
//! serde and chrono only; HTTP is in `ringnity-client`.
//!
//! # Quick start
//!
//! ```
//! use ringnity_types::{ContactInput, ConversationStatus};
//!
//! let contact = ContactInput {
//!     email: Some("ada@example.com".into()),
//!     ..ContactInput::new("Ada", "+44 20 7946 0000")
//! };
//! assert_eq!(
//!     serde_json::to_value(&contact)?,
//!     serde_json::json!({ "name": "Ada", "phone": "+44 20 7946 0000", "email": "ada@example.com" })
//! );
//!
//! let status: ConversationStatus = serde_json::from_str("\"open\"")?;
//! assert_eq!(status, ConversationStatus::Open);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # Conventions
//!
//! | in the contract | in Rust |
//! | --- | --- |
//! | required properties | arguments of `new`; properties with a default have it after `new` |
//! | optional property | [`Option`]. `None` is absent; an empty list is `Some(vec![])` |
//! | optional property that may be null | [`Field`]: absent, null or a value |
//! | enum that servers send | open: unknown values become the variant `Unknown` and are kept |
//! | enum of requests only | closed: unknown values are an error |
//! | constant | [`ConstTrue`], [`ConstFalse`] |
//! | `date-time` | `chrono::DateTime<Utc>` |
//! | `date` | `chrono::NaiveDate` |
//! | `password` | `String`, redacted in `Debug` |
//!
//! # Validation
//!
//! Lengths, ranges, patterns and formats are documented, not checked: a client must be able to read a response that
//! breaks them, and a server reports all invalid properties of a request at once. Unknown properties are ignored, or
//! kept in the field `extra` where the schema allows additional properties.

#[rustfmt::skip]
mod generated;
pub mod support;

pub use generated::*;
pub use support::{ConstFalse, ConstTrue, Field, UnknownValue};

/// Code that must not compile, next to the same code corrected.
#[cfg(doctest)]
#[doc = include_str!("../tests/compile_fail.md")]
struct CompileFailTests;
