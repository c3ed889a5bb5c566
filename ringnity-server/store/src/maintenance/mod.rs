//! What an operator does with a database as a whole: look at it, copy it, put another in its place. No tenant's rows
//! are read one by one here, and nothing is printed.
//!
//! Each function opens a connection of its own, so it works beside a running server, and where the store would not
//! open.

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

/// Which migrations the database has and lacks. An SQLite file that is missing is [`StoreError::Missing`].
pub async fn migration_state(config: &StoreConfig) -> Result<MigrationState, StoreError> {
    let config = config.clone();
    run_blocking(move || migrate::state_of(&config)).await
}
