//! SQLite files: online backup, verification of a backup, and exclusive access before a file is replaced.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use diesel::{QueryableByName, RunQueryDsl, connection::AnsiTransactionManager, sql_types::Text};

use super::scalars::{RowCounts, counts, number, texts};
use crate::engine::{
    Conn, InstrumentedConnection, StoreError, StoreResult,
    migrate::{self, MigrationState},
    run_blocking,
    sqlite::{self, OpenMode},
};

/// How long to wait for other connections to close.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two attempts.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Result of verifying an SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteFileInfo {
    /// Migrations of the file.
    pub migrations: MigrationState,
    /// Row counts; `None` if a newer version of this program has migrated the file.
    pub counts: Option<RowCounts>,
}

/// Copies a snapshot of the database into `to` and syncs it to disk. `to` must be an empty file created by the caller.
/// Writers are not blocked; what they commit after the snapshot is not in the copy.
pub async fn sqlite_backup(database: &Path, to: &Path) -> StoreResult<()> {
    let (database, to) = (database.to_owned(), to.to_owned());
    run_blocking(move || {
        // SQLite would create a world-readable file, but accepts an existing empty one.
        let target = sqlite::uri(&to, "rw")?;
        let mut connection = sqlite::open(&database, OpenMode::Write)?;
        diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(connection.sqlite()?)?;
        let synced = std::fs::File::open(&to).and_then(|file| file.sync_all());
        synced.map_err(|error| {
            StoreError::Unavailable(format!("cannot write {} to disk: {error}", to.display()).into())
        })
    })
    .await
}

/// Verifies all pages and foreign keys of a file that is not in use. Returns [`StoreError::Corrupt`] for a damaged file and
/// [`StoreError::Missing`] if it is not a Ringnity database.
pub async fn sqlite_check(file: &Path) -> StoreResult<SqliteFileInfo> {
    let file = file.to_owned();
    run_blocking(move || {
        let mut connection = sqlite::open(&file, OpenMode::Inspect)?;
        let mut faults = sqlite_damage(&mut connection.conn, "integrity_check")?;
        faults.extend(
            sqlite_orphans(&mut connection.conn)?
                .into_iter()
                .map(|table| format!("rows in {table} violate a foreign key")),
        );
        if !faults.is_empty() {
            return Err(StoreError::Corrupt(faults.join("; ").into()));
        }
        let marked =
            "SELECT count(*) AS n FROM sqlite_master WHERE name IN ('__diesel_schema_migrations', 'tenants')";
        if number(&mut connection.conn, marked)? < 2 {
            return Err(StoreError::Missing(file.display().to_string()));
        }
        let migrations = migrate::sqlite_state(connection.sqlite()?)?;
        let readable = migrations.unknown.is_empty();
        let counts = if readable { Some(counts(&mut connection.conn)?) } else { None };
        Ok(SqliteFileInfo { migrations, counts })
    })
    .await
}

/// Messages of `PRAGMA quick_check` or `integrity_check`, without `ok`.
pub(super) fn sqlite_damage(c: &mut Conn, check: &str) -> StoreResult<Vec<String>> {
    let found = texts(c, &format!("SELECT {check} AS value FROM pragma_{check}()"))?;
    Ok(found.into_iter().filter(|word| word != "ok").collect())
}

/// Tables with rows that violate a foreign key.
pub(super) fn sqlite_orphans(c: &mut Conn) -> StoreResult<Vec<String>> {
    texts(c, "SELECT DISTINCT \"table\" AS value FROM pragma_foreign_key_check()")
}

/// Exclusive access to an SQLite file. Nobody else can read or write it until this is dropped.
pub struct SqliteExclusiveLock {
    _link: InstrumentedConnection,
}

impl std::fmt::Debug for SqliteExclusiveLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteExclusiveLock").finish_non_exhaustive()
    }
}

/// Locks an SQLite file that is about to be replaced: moves the contents of the WAL into the file, deletes the WAL, and
/// blocks other connections. Returns [`StoreError::Busy`] and leaves the file as it is if another connection is open after
/// two seconds, even one that only reads.
///
/// A checkpoint is not enough: a reader keeps it from completing, a writer starts a new WAL, and SQLite reports neither
/// as an error. Leaving WAL mode takes the whole file or fails. Afterwards, a connection that was opened before and writes
/// after the file was replaced gets an error from SQLite, which would otherwise use the WAL of the new database. Opening
/// the file as a server does switches it back to WAL mode.
pub async fn sqlite_lock_exclusively(database: &Path) -> StoreResult<SqliteExclusiveLock> {
    let database = database.to_owned();
    run_blocking(move || {
        let start = Instant::now();
        loop {
            match try_lock(&database) {
                // A process that is just exiting may not have closed the file yet.
                Err(StoreError::Busy(_)) if start.elapsed() < LOCK_TIMEOUT => {
                    std::thread::sleep(LOCK_RETRY_INTERVAL)
                }
                Err(StoreError::Busy(_)) => {
                    return Err(StoreError::Busy(format!(
                        "{} is open elsewhere, perhaps by a backup: wait until it has finished, or stop it",
                        database.display()
                    )));
                }
                other => return other,
            }
        }
    })
    .await
}

fn try_lock(database: &Path) -> StoreResult<SqliteExclusiveLock> {
    let mut connection = sqlite::open(database, OpenMode::Write)?;
    journal_mode(&mut connection, "PRAGMA journal_mode = DELETE")?;
    AnsiTransactionManager::begin_transaction_sql(connection.sqlite()?, "BEGIN EXCLUSIVE")?;
    // Another connection may have switched it back in between.
    let mode = journal_mode(&mut connection, "PRAGMA journal_mode")?;
    if mode != "delete" {
        return Err(StoreError::Busy(format!("its journal mode is {mode}")));
    }
    Ok(SqliteExclusiveLock { _link: connection })
}

fn journal_mode(connection: &mut InstrumentedConnection, pragma: &str) -> StoreResult<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        journal_mode: String,
    }
    Ok(diesel::sql_query(pragma).get_result::<Row>(connection.sqlite()?)?.journal_mode)
}
