//! SQLite files: copying one while it is in use, judging a copy, and taking one that is to be replaced.

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

/// How long a file may be open elsewhere before that is told.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(50);

/// What is known of an SQLite file that nobody uses.
#[derive(Clone, Debug)]
pub struct SqliteFileInfo {
    /// Its migrations.
    pub migrations: MigrationState,
    /// What is in it, where this program can read it.
    pub counts: Option<RowCounts>,
}

/// Copies the database as of one moment into `to`, an empty file that the caller has made for this, and waits until it
/// is on disk. Those who write meanwhile go on; what they commit after that moment is not in the copy.
pub async fn sqlite_backup(database: &Path, to: &Path) -> StoreResult<()> {
    let (database, to) = (database.to_owned(), to.to_owned());
    run_blocking(move || {
        // SQLite would make a file that others can read; it takes one that is there as long as it is empty.
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

/// Looks at every page and reference of a file that nobody uses: damage is [`StoreError::Corrupt`], and a database of
/// something else [`StoreError::Missing`].
pub async fn sqlite_check(file: &Path) -> StoreResult<SqliteFileInfo> {
    let file = file.to_owned();
    run_blocking(move || {
        let mut connection = sqlite::open(&file, OpenMode::Inspect)?;
        let mut faults = sqlite_damage(&mut connection.conn, "integrity_check")?;
        faults.extend(
            sqlite_orphans(&mut connection.conn)?.into_iter().map(|table| format!("orphans in {table}")),
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

/// What `PRAGMA quick_check` or `integrity_check` finds.
pub(super) fn sqlite_damage(c: &mut Conn, check: &str) -> StoreResult<Vec<String>> {
    let found = texts(c, &format!("SELECT {check} AS word FROM pragma_{check}()"))?;
    Ok(found.into_iter().filter(|word| word != "ok").collect())
}

/// Tables with rows that refer to nothing.
pub(super) fn sqlite_orphans(c: &mut Conn) -> StoreResult<Vec<String>> {
    texts(c, "SELECT DISTINCT \"table\" AS word FROM pragma_foreign_key_check()")
}

/// An SQLite file that nobody else can read or write until this is dropped.
pub struct SqliteExclusiveLock {
    _link: InstrumentedConnection,
}

impl std::fmt::Debug for SqliteExclusiveLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteExclusiveLock").finish_non_exhaustive()
    }
}

/// Takes an SQLite file that is about to be replaced: brings everything that is in the log beside it into the file,
/// does away with the log, and keeps others from both. Where somebody else has it open, be it only to read, it stays as
/// it is, and this is [`StoreError::Busy`] after a while.
///
/// A checkpoint would not do. Whoever reads keeps it from reaching the end of the log, whoever writes begins the next
/// one, and SQLite calls neither an error. Leaving WAL mode takes the whole file or nothing; and those who opened the
/// file before and write to it after it was replaced are then refused by SQLite, which would otherwise take the log of
/// the new database for theirs. Whoever opens the file as a server does brings it back to WAL mode.
pub async fn sqlite_lock_exclusively(database: &Path) -> StoreResult<SqliteExclusiveLock> {
    let database = database.to_owned();
    run_blocking(move || {
        let begun = Instant::now();
        loop {
            match alone(&database) {
                // Whoever has just left may not have closed it yet.
                Err(StoreError::Busy(_)) if begun.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Err(StoreError::Busy(_)) => {
                    return Err(StoreError::Busy(format!(
                        "{} is open elsewhere, perhaps for a backup; wait until that has ended, or stop it",
                        database.display()
                    )));
                }
                other => return other,
            }
        }
    })
    .await
}

fn alone(database: &Path) -> StoreResult<SqliteExclusiveLock> {
    let mut connection = sqlite::open(database, OpenMode::Write)?;
    journal_mode(&mut connection, "PRAGMA journal_mode = DELETE")?;
    AnsiTransactionManager::begin_transaction_sql(connection.sqlite()?, "BEGIN EXCLUSIVE")?;
    // Somebody may have come in between the two.
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
