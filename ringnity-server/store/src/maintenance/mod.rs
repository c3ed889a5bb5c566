//! What an operator does with a database as a whole: look at it, copy it, put another in its place. No tenant's rows
//! are read one by one here, and nothing is printed.
//!
//! Each function opens a connection of its own, so it works beside a running server, and where the store would not
//! open.

mod files;
mod inspect;
mod postgres;

pub use crate::engine::file_owner::{folder_of, give_away, owner_for};
pub use files::{FileFacts, SqliteAlone, sqlite_alone, sqlite_backup, sqlite_check};
pub use inspect::{Counts, Inspection, inspect};
pub use postgres::{KEPT, Schema, postgres_dump, postgres_must_be_alone, postgres_schema};

use crate::engine::{
    Place, StoreConfig, StoreError,
    migrate::{self, MigrationState},
    off_the_async_threads, postgres as pg,
    sqlite::{self, Use},
};

/// Which migrations the database has and lacks. An SQLite file that is missing is [`StoreError::Missing`].
pub async fn migration_state(config: &StoreConfig) -> Result<MigrationState, StoreError> {
    let config = config.clone();
    off_the_async_threads(move || state(&config)).await
}

pub(crate) fn state(config: &StoreConfig) -> Result<MigrationState, StoreError> {
    match &config.place {
        Place::Sqlite(path) => {
            if !path.exists() {
                return Err(StoreError::Missing(config.describe()));
            }
            migrate::sqlite_state(sqlite::open(path, Use::Write)?.sqlite()?)
        }
        Place::Postgres(url) => migrate::postgres_state(pg::open(url)?.postgres()?),
    }
}
