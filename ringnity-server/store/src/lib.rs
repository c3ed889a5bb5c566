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

pub mod agents;
mod config;
mod conn;
pub mod contacts;
pub mod credentials;
pub mod devices;
pub mod entry_tokens;
mod error;
pub mod events;
pub mod idempotency;
pub mod identities;
pub mod ids;
pub mod jobs;
mod load;
mod migrate;
pub mod oauth_clients;
pub mod owners;
mod page;
pub mod plans;
pub mod platform;
mod pool;
mod postgres;
pub mod rates;
mod schema;
pub mod sessions;
pub mod signing_keys;
mod sqlite;
mod store;
pub mod tenants;
#[cfg(feature = "test-util")]
pub mod testing;
mod types;
pub mod upkeep;
pub mod visitors;
mod writer;

pub use config::{Engine, StoreConfig};
pub use conn::Conn;
pub use error::{StoreError, StoreResult, constraint};
pub use ids::*;
pub use load::Load;
pub use migrate::MigrationState;
pub use page::{Page, PageRequest};
pub use store::Store;
pub use types::to_stored_precision;
