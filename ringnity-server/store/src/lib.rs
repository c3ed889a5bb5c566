//! Persistence of ringnity-server: the only room that knows SQL.
//!
//! What lives here: the [`Store`] with its two doors [`Store::read`] and [`Store::write`], the migrations of both
//! engines, the id types, and one module of queries for each resource. Functions are called `resource_verb`,
//! take the connection first and, where a tenant owns the row, a [`TenantId`] second: there is none that could
//! forget it. What may not live here: HTTP, the contract's types, rules of the business, a clock (queries take
//! `now` where they need time), and network calls inside a transaction (write an [`events`] row instead).
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
pub mod ids;
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
pub use ids::*;
pub use page::{Page, PageRequest};
