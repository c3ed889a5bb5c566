//! Persistence of ringnity-server on SQLite and PostgreSQL. All SQL of the project is in this crate.
//!
//! It contains [`Store`] with [`Store::read`] and [`Store::write`], the migrations of both engines, the id types, and
//! rows and queries by area: [`identity`], [`tenants`], [`login`], [`contacts`], [`visitors`], and the [`events`],
//! [`jobs`], [`idempotency`] and [`rate_limits`] that all areas share. [`maintenance`] is for operators.
//!
//! Queries are functions called `resource_verb`. They take the connection first and, where a tenant owns the row, a
//! [`TenantId`] second. A query that finds nothing returns `None`, `false`, `0` or an empty list; it is never an error.
//!
//! This crate has no HTTP, none of the contract's types, no business rules and no clock (queries take `now` where they
//! need the time). No network call is made inside a transaction: write an [`events`] row instead.
//!
//! ```no_run
//! use ringnity_store::{Store, StoreConfig, StoreError, tenants};
//!
//! # async fn example() -> Result<(), StoreError> {
//! let store = Store::open(&StoreConfig::new("sqlite:///var/lib/ringnity/ringnity.db")?).await?;
//! let tenant = store.read(|c| tenants::tenant_by_slug(c, "demo")).await?;
//! # Ok(()) }
//! ```

mod changes;
pub mod contacts;
mod engine;
pub mod events;
pub mod idempotency;
pub mod identity;
pub mod jobs;
pub mod login;
pub mod maintenance;
mod page;
pub mod rate_limits;
mod schema;
pub mod tenants;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod visitors;

pub use engine::{
    Conn, Engine, Load, MigrationState, Store, StoreConfig, StoreError, StoreResult, constraint,
    to_stored_precision,
};
pub use page::{Page, PageRequest};
pub use ringnity_domain::ids::{self, *};
