//! Queries for backup and restore of a PostgreSQL database. The server crate runs `pg_dump` and `psql`.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::scalars::{RowCounts, counts, number, text, texts};
use crate::engine::{
    Conn, DatabaseLocation, InstrumentedConnection, StoreConfig, StoreError, StoreResult,
    migrate::{self, MigrationState},
    postgres as pg, run_blocking,
};

/// Prefix of the schemas that contain databases replaced by a restore. Backups exclude them.
pub const PREVIOUS_SCHEMA_PREFIX: &str = "ringnity_before_";

/// The current schema of a database and what it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresSchema {
    /// Name of the schema.
    pub name: String,
    /// Number of tables, including those of other programs.
    pub tables: i64,
    /// Number of tenants.
    pub tenants: i64,
    /// Number of platform administrators.
    pub platform_admins: i64,
}

/// The current schema of the database.
pub async fn postgres_schema(config: &StoreConfig) -> StoreResult<PostgresSchema> {
    let config = config.clone();
    run_blocking(move || {
        let mut connection = open(&config)?;
        let c = &mut connection.conn;
        let name = text(c, "SELECT current_schema()::text AS value")?;
        let tables = number(c, "SELECT count(*) AS n FROM pg_tables WHERE schemaname = current_schema()")?;
        let mut rows = |table: &str| {
            let known = format!(
                "SELECT count(*) AS n FROM pg_tables WHERE schemaname = current_schema() AND tablename = '{table}'"
            );
            match number(c, &known)? {
                0 => Ok(0),
                _ => number(c, &format!("SELECT count(*) AS n FROM {table}")),
            }
        };
        let (tenants, platform_admins) = (rows("tenants")?, rows("platform_admins")?);
        Ok(PostgresSchema { name, tables, tenants, platform_admins })
    })
    .await
}

/// Exports a snapshot and runs `work` with its name, which other connections can import meanwhile. Returns the result of
/// `work`, and migrations and row counts of the snapshot.
pub async fn postgres_with_snapshot<T, E, F>(
    config: &StoreConfig,
    work: F,
) -> Result<(T, MigrationState, RowCounts), E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&str) -> Result<T, E> + Send + 'static,
{
    let config = config.clone();
    run_blocking(move || {
        let mut connection = open(&config)?;
        let migrations = migrate::postgres_state(connection.postgres()?)?;
        begin(&mut connection)?;
        let counts = counts(&mut connection.conn)?;
        let snapshot = text(&mut connection.conn, "SELECT pg_export_snapshot() AS value")?;
        // The snapshot exists as long as this transaction.
        let done = work(&snapshot)?;
        rollback(&mut connection)?;
        Ok((done, migrations, counts))
    })
    .await
}

/// Returns [`StoreError::Busy`] if there are other connections to the database after two seconds.
pub async fn postgres_ensure_unused(config: &StoreConfig) -> StoreResult<()> {
    let config = config.clone();
    run_blocking(move || {
        let mut connection = open(&config)?;
        let others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let mut connected = number(&mut connection.conn, others)?;
        // A connection that was just closed may still be listed.
        for _ in 0..20 {
            if connected == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
            connected = number(&mut connection.conn, others)?;
        }
        Err(StoreError::Busy(format!(
            "{connected} other connections use it; stop every server that uses this database first"
        )))
    })
    .await
}

impl PostgresSchema {
    /// SQL that renames this schema to `new_name` and creates an empty one in its place. Run it in the transaction that
    /// fills the empty schema, so that there is always a complete database.
    pub fn replace_statements(&self, new_name: &str) -> String {
        let (from, to) = (quoted(&self.name), quoted(new_name));
        format!("ALTER SCHEMA {from} RENAME TO {to}; CREATE SCHEMA {from};")
    }
}

/// Names of the schemas that contain replaced databases, in order.
pub(super) fn previous_schemas(c: &mut Conn) -> StoreResult<Vec<String>> {
    texts(
        c,
        &format!(
            "SELECT nspname::text AS value FROM pg_namespace WHERE starts_with(nspname, '{PREVIOUS_SCHEMA_PREFIX}') ORDER BY 1"
        ),
    )
}

fn begin(connection: &mut InstrumentedConnection) -> StoreResult<()> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    Ok(AnsiTransactionManager::begin_transaction_sql(connection.postgres()?, begin)?)
}

fn rollback(connection: &mut InstrumentedConnection) -> StoreResult<()> {
    Ok(AnsiTransactionManager::rollback_transaction(connection.postgres()?)?)
}

fn open(config: &StoreConfig) -> StoreResult<InstrumentedConnection> {
    match &config.location {
        DatabaseLocation::Postgres(url) => pg::open(url),
        DatabaseLocation::Sqlite(_) => Err(StoreError::Other("expected a PostgreSQL database".into())),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
