//! What an operator does with a database as a whole: look at it, copy it, put another in its place. No tenant's rows
//! are read one by one here, and nothing is printed.
//!
//! Each function opens a connection of its own, so it works beside a running server, and where the store would not
//! open.

mod inspect;
mod postgres;
mod scalars;
mod sqlite;

pub use crate::engine::file_owner::{folder_of, give_away, owner_for};
pub use inspect::{Inspection, inspect};
pub use postgres::{KEPT, Schema, postgres_dump, postgres_must_be_alone, postgres_schema};
pub use scalars::Counts;
pub use sqlite::{FileFacts, SqliteAlone, sqlite_alone, sqlite_backup, sqlite_check};

use crate::engine::{MigrationState, StoreConfig, StoreError, migrate, run_blocking};

/// Which migrations the database has and lacks. An SQLite file that is missing is [`StoreError::Missing`].
pub async fn migration_state(config: &StoreConfig) -> Result<MigrationState, StoreError> {
    let config = config.clone();
    run_blocking(move || migrate::state_of(&config)).await
}
