//! Migrations. They are embedded in the program, with the same names for both engines, and applied when a store opens.
//! All pending migrations run in one transaction under one lock, so several nodes may start at once, and a failed
//! migration leaves no trace.

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl, SqliteConnection,
    backend::Backend,
    connection::{AnsiTransactionManager, Connection, SimpleConnection as _, TransactionManager},
    migration::{Migration, MigrationSource},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::engine::{
    config::{DatabaseLocation, StoreConfig},
    error::{Cause, StoreError},
    event_position::renumber_restored_events,
    postgres,
    sqlite::{self, OpenMode},
};

pub(crate) const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
pub(crate) const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The lock number is arbitrary, but must be the same in every version of this program.
const POSTGRES_LOCK: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(722811730042)";
const SQLITE_LOCK: &str = "BEGIN EXCLUSIVE";

/// Which migrations a database has, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationState {
    /// Applied migrations that this program knows, oldest first.
    pub applied: Vec<String>,
    /// Migrations that are not applied yet, oldest first.
    pub pending: Vec<String>,
    /// Versions of applied migrations that this program does not know: a newer version applied them.
    pub unknown: Vec<String>,
}

impl MigrationState {
    /// The state of a database whose migrations table contains these versions.
    pub fn from_versions(versions: &[String]) -> Result<MigrationState, StoreError> {
        Ok(state_from(&embedded_names::<Sqlite>(&SQLITE)?, versions))
    }

    /// The newest applied migration; `None` if there is none.
    pub fn newest(&self) -> Option<&str> {
        self.unknown.last().or(self.applied.last()).map(String::as_str)
    }

    /// Returns [`StoreError::NewerSchema`] if a newer version of this program has migrated the database.
    pub fn ensure_not_newer(&self) -> Result<(), StoreError> {
        let known = self.pending.last().or(self.applied.last()).cloned().unwrap_or_default();
        self.unknown
            .last()
            .map_or(Ok(()), |found| Err(StoreError::NewerSchema { found: found.clone(), known }))
    }
}

/// The migrations of a database. Returns [`StoreError::Missing`] if there is no SQLite file.
pub(crate) fn state_of(config: &StoreConfig) -> Result<MigrationState, StoreError> {
    match &config.location {
        DatabaseLocation::Sqlite(path) => {
            if !path.exists() {
                return Err(StoreError::Missing(config.describe()));
            }
            sqlite_state(sqlite::open(path, OpenMode::Write)?.sqlite()?)
        }
        DatabaseLocation::Postgres(url) => postgres_state(postgres::open(url)?.postgres()?),
    }
}

/// The migrations of a PostgreSQL database. Does not change it: diesel creates the migrations table when it reads
/// it, so the table is read only if it exists.
pub(crate) fn postgres_state(conn: &mut PgConnection) -> Result<MigrationState, StoreError> {
    let has = "SELECT count(*) AS count FROM pg_tables WHERE schemaname = current_schema() \
               AND tablename = '__diesel_schema_migrations'";
    let table_exists = diesel::sql_query(has).get_result::<Count>(conn)?.count > 0;
    state_on(conn, POSTGRES, table_exists)
}

/// The migrations of an SQLite database. Does not change it.
pub(crate) fn sqlite_state(conn: &mut SqliteConnection) -> Result<MigrationState, StoreError> {
    let has = "SELECT count(*) AS count FROM sqlite_master WHERE name = '__diesel_schema_migrations'";
    let table_exists = diesel::sql_query(has).get_result::<Count>(conn)?.count > 0;
    state_on(conn, SQLITE, table_exists)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn state_on<C, DB>(
    conn: &mut C,
    source: EmbeddedMigrations,
    table_exists: bool,
) -> Result<MigrationState, StoreError>
where
    C: MigrationHarness<DB>,
    DB: Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let applied = if table_exists { conn.applied_migrations().map_err(migration_error)? } else { Vec::new() };
    let versions: Vec<String> = applied.iter().map(ToString::to_string).collect();
    Ok(state_from(&embedded_names::<DB>(&source)?, &versions))
}

/// Applies only the first `count` migrations to an empty database.
#[cfg(feature = "test-util")]
pub(crate) fn apply_first<C, DB>(
    conn: &mut C,
    source: &EmbeddedMigrations,
    count: usize,
) -> Result<(), StoreError>
where
    C: MigrationHarness<DB>,
    DB: Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let mut embedded: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(migration_error)?;
    embedded.sort_by_key(|migration| migration.name().version().to_string());
    conn.applied_migrations().map_err(migration_error)?;
    embedded
        .iter()
        .take(count)
        .try_for_each(|migration| conn.run_migration(migration).map(drop))
        .map_err(migration_error)
}

/// Versions and names of the embedded migrations, oldest first.
fn embedded_names<DB>(source: &EmbeddedMigrations) -> Result<Vec<(String, String)>, StoreError>
where
    DB: Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let embedded: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(migration_error)?;
    let mut names: Vec<_> = embedded
        .iter()
        .map(|migration| (migration.name().version().to_string(), migration.name().to_string()))
        .collect();
    names.sort();
    Ok(names)
}

fn state_from(embedded: &[(String, String)], versions: &[String]) -> MigrationState {
    let (applied, pending) =
        embedded.iter().cloned().partition::<Vec<_>, _>(|(version, _)| versions.contains(version));
    let mut unknown: Vec<String> = versions
        .iter()
        .filter(|version| !embedded.iter().any(|(known, _)| known == *version))
        .cloned()
        .collect();
    unknown.sort();
    let names = |list: Vec<(String, String)>| list.into_iter().map(|(_, name)| name).collect();
    MigrationState { applied: names(applied), pending: names(pending), unknown }
}

/// Applies pending migrations and returns their names. Retries after a deadlock: readers of running nodes may lock tables
/// in another order, and PostgreSQL may then abort the migration, which has changed nothing.
pub(crate) fn migrate_postgres(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let mut attempts = 0;
    loop {
        let migrated = in_locked_transaction(conn, POSTGRES_LOCK, |conn| {
            let state = postgres_state(conn)?;
            if !state.pending.is_empty() && !state.applied.is_empty() {
                // The writer lock of `postgres::write`: waits for running writers and blocks new ones.
                conn.batch_execute("LOCK TABLE ONLY __diesel_schema_migrations IN ACCESS EXCLUSIVE MODE")?;
            }
            let applied = apply_pending(conn, POSTGRES)?;
            renumber_restored_events(conn)?;
            Ok(applied)
        });
        match migrated {
            Err(StoreError::Other(error))
                if attempts < 5 && error.to_string().contains("deadlock detected") =>
            {
                attempts += 1;
            }
            done => return done,
        }
    }
}

/// Applies pending migrations and returns their names. Foreign keys are off on this connection, because SQLite changes a
/// table by replacing it, so this checks them before the commit.
pub(crate) fn migrate_sqlite(conn: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    in_locked_transaction(conn, SQLITE_LOCK, |conn| {
        let applied = apply_pending(conn, SQLITE)?;
        if !applied.is_empty() {
            #[derive(QueryableByName)]
            struct Orphan {
                #[diesel(sql_type = Text)]
                table: String,
            }
            let orphans: Vec<Orphan> = diesel::sql_query("PRAGMA foreign_key_check").load(conn)?;
            if let Some(Orphan { table }) = orphans.first() {
                return Err(StoreError::Other(
                    format!("the migration would leave rows in {table} that violate a foreign key").into(),
                ));
            }
        }
        Ok(applied)
    })
}

/// Runs `work` in a transaction. `begin` starts it and takes the migration lock.
fn in_locked_transaction<C, T>(
    conn: &mut C,
    begin: &str,
    work: impl FnOnce(&mut C) -> Result<T, StoreError>,
) -> Result<T, StoreError>
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    AnsiTransactionManager::begin_transaction_sql(conn, begin)?;
    match work(conn) {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            // The first error is more useful than one of the rollback.
            let _ = AnsiTransactionManager::rollback_transaction(conn);
            Err(error)
        }
    }
}

/// Applies pending migrations and returns their names. Fails if a newer version has migrated the database.
fn apply_pending<C, DB>(conn: &mut C, source: EmbeddedMigrations) -> Result<Vec<String>, StoreError>
where
    C: MigrationHarness<DB>,
    DB: Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let applied = conn.applied_migrations().map_err(migration_error)?;
    let versions: Vec<String> = applied.iter().map(ToString::to_string).collect();
    let state = state_from(&embedded_names::<DB>(&source)?, &versions);
    state.ensure_not_newer()?;
    conn.run_pending_migrations(source).map_err(migration_error)?;
    Ok(state.pending)
}

fn migration_error(cause: Cause) -> StoreError {
    match cause.downcast::<diesel::result::Error>() {
        Ok(error) => StoreError::from(*error),
        Err(cause) => StoreError::Other(format!("a migration failed: {cause}").into()),
    }
}
