//! SQLite files: copying one while it is in use, and judging a copy.

use std::path::Path;

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_types::Text};

use super::inspect::{Counts, counts, sqlite_damage, sqlite_orphans};
use crate::{
    error::{StoreError, StoreResult},
    migrate::{self, MigrationState},
    sqlite::{self, Use},
    store::off_the_async_threads,
};

/// What is known of an SQLite file that nobody uses.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// Its migrations.
    pub migrations: MigrationState,
    /// What is in it, where this program can read it.
    pub counts: Option<Counts>,
}

/// Copies the database as of one moment into `to`, which must not be there yet, and waits until it is on disk. Those
/// who write meanwhile go on; what they commit after that moment is not in the copy.
pub async fn sqlite_backup(database: &Path, to: &Path) -> StoreResult<()> {
    let (database, to) = (database.to_owned(), to.to_owned());
    off_the_async_threads(move || {
        let target = to
            .to_str()
            .ok_or_else(|| StoreError::Config(format!("the path {} is not valid UTF-8", to.display())))?;
        let mut link = sqlite::open(&database, Use::Write)?;
        // SQLite writes into a file that is there as long as it is empty, and this one only we can read.
        sqlite::private_file(&to);
        diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(link.sqlite()?)?;
        let synced = std::fs::File::open(&to).and_then(|file| file.sync_all());
        synced.map_err(|error| {
            StoreError::Unavailable(format!("cannot write {target} to disk: {error}").into())
        })
    })
    .await
}

/// Looks at every page and reference of a file that nobody uses: damage is [`StoreError::Corrupt`], and a database of
/// something else [`StoreError::Missing`].
pub async fn sqlite_check(file: &Path) -> StoreResult<FileFacts> {
    let file = file.to_owned();
    off_the_async_threads(move || {
        let mut link = sqlite::open(&file, Use::Look)?;
        let mut faults = sqlite_damage(&mut link.conn, "integrity_check")?;
        faults.extend(sqlite_orphans(&mut link.conn)?.into_iter().map(|table| format!("orphans in {table}")));
        if !faults.is_empty() {
            return Err(StoreError::Corrupt(faults.join("; ").into()));
        }
        let marked =
            "SELECT count(*) AS n FROM sqlite_master WHERE name IN ('__diesel_schema_migrations', 'tenants')";
        if super::inspect::number(&mut link.conn, marked)? < 2 {
            return Err(StoreError::Missing(file.display().to_string()));
        }
        let migrations = migrate::sqlite_state(link.sqlite()?)?;
        let readable = migrations.unknown.is_empty();
        let counts = if readable { Some(counts(&mut link.conn)?) } else { None };
        Ok(FileFacts { migrations, counts })
    })
    .await
}

/// Brings everything that is in the log beside the database into its file, so that the file alone is all of it.
pub async fn sqlite_checkpoint(database: &Path) -> StoreResult<()> {
    let database = database.to_owned();
    off_the_async_threads(move || {
        let mut link = sqlite::open(&database, Use::Write)?;
        Ok(link.sqlite()?.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?)
    })
    .await
}
