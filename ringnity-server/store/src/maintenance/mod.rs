//! Operations on a whole database: inspection, backup, restore. Nothing is printed here.
//!
//! Each function opens its own connection. So it works beside a running server, and on a database that
//! [`Store::open`](crate::Store::open) rejects.

mod inspect;
mod postgres;
mod scalars;
mod sqlite;

pub use crate::engine::file_owner::{chown_like, owner_reference, parent_folder};
pub use inspect::{Inspection, inspect};
pub use postgres::{
    PREVIOUS_SCHEMA_PREFIX, PostgresSchema, postgres_ensure_unused, postgres_schema, postgres_with_snapshot,
};
pub use scalars::RowCounts;
pub use sqlite::{SqliteExclusiveLock, SqliteFileInfo, sqlite_backup, sqlite_check, sqlite_lock_exclusively};

use crate::engine::{MigrationState, StoreConfig, StoreError, migrate, run_blocking};

/// The migrations of a database. Returns [`StoreError::Missing`] if there is no SQLite file.
pub async fn migration_state(config: &StoreConfig) -> Result<MigrationState, StoreError> {
    let config = config.clone();
    run_blocking(move || migrate::state_of(&config)).await
}
