//! Migrations: embedded in the program, one folder of the same names for each engine, applied when a store opens.
//! All that are pending go in one transaction under one lock, so two nodes may start at once and a migration that
//! fails leaves nothing behind.

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl, SqliteConnection,
    backend::Backend,
    connection::{AnsiTransactionManager, Connection, TransactionManager},
    migration::{Migration, MigrationSource},
    sql_types::Text,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    error::{Cause, StoreError},
    events,
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number will do, as long as every version of this program uses the same one.
const POSTGRES_LOCK: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(722811730042)";
const SQLITE_LOCK: &str = "BEGIN EXCLUSIVE";

pub(crate) fn postgres(conn: &mut PgConnection) -> Result<usize, StoreError> {
    locked(conn, POSTGRES_LOCK, |conn| {
        let applied = pending(conn, POSTGRES)?;
        events::settle_restored(conn)?;
        Ok(applied)
    })
}

/// Foreign keys are off on this connection, for SQLite changes a table by making a new one; so they are checked
/// by hand before the commit.
pub(crate) fn sqlite(conn: &mut SqliteConnection) -> Result<usize, StoreError> {
    locked(conn, SQLITE_LOCK, |conn| {
        let applied = pending(conn, SQLITE)?;
        if applied > 0 {
            #[derive(QueryableByName)]
            struct Orphan {
                #[diesel(sql_type = Text)]
                table: String,
            }
            let orphans: Vec<Orphan> = diesel::sql_query("PRAGMA foreign_key_check").load(conn)?;
            if let Some(Orphan { table }) = orphans.first() {
                return Err(StoreError::Other(
                    format!("migrating would leave rows in {table} that refer to nothing").into(),
                ));
            }
        }
        Ok(applied)
    })
}

fn locked<C, T>(
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
            // The error that led here says more than a rollback that fails after it.
            let _ = AnsiTransactionManager::rollback_transaction(conn);
            Err(error)
        }
    }
}

/// Applies what the database lacks; refuses one that has what this program lacks.
fn pending<C, DB>(conn: &mut C, source: EmbeddedMigrations) -> Result<usize, StoreError>
where
    C: MigrationHarness<DB>,
    DB: Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let ours: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    let known: Vec<String> = ours.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied = conn.applied_migrations().map_err(failed)?;
    let strange = applied.iter().map(ToString::to_string).filter(|version| !known.contains(version)).max();
    if let Some(found) = strange {
        let known = known.into_iter().max().unwrap_or_default();
        return Err(StoreError::NewerSchema { found, known });
    }
    Ok(conn.run_pending_migrations(source).map_err(failed)?.len())
}

fn failed(cause: Cause) -> StoreError {
    match cause.downcast::<diesel::result::Error>() {
        Ok(error) => StoreError::from(*error),
        Err(cause) => StoreError::Other(format!("a migration failed: {cause}").into()),
    }
}
