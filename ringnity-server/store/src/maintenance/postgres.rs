//! What copying and replacing a PostgreSQL database needs of the database itself; the copying is done by its own
//! tools, outside this room.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::scalars::{RowCounts, counts, number, text, texts};
use crate::engine::{
    Conn, DatabaseLocation, InstrumentedConnection, StoreConfig, StoreError, StoreResult,
    migrate::{self, MigrationState},
    postgres as pg, run_blocking,
};

/// What schemas are called in which replaced databases are kept; backups leave them out.
pub const PREVIOUS_SCHEMA_PREFIX: &str = "ringnity_before_";

/// What is in the schema that the database's tables belong in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresSchema {
    /// What it is called.
    pub name: String,
    /// How many tables it has, whoever's.
    pub tables: i64,
    /// How many tenants.
    pub tenants: i64,
    /// How many platform administrators.
    pub platform_admins: i64,
}

/// What the database holds already.
pub async fn postgres_schema(config: &StoreConfig) -> StoreResult<PostgresSchema> {
    let config = config.clone();
    run_blocking(move || {
        let mut connection = open(&config)?;
        let c = &mut connection.conn;
        let name = text(c, "SELECT current_schema()::text AS word")?;
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

/// Runs `work` with the name of a snapshot that other connections can take up, and answers beside its result what is
/// in that snapshot.
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
        let facts = counts(&mut connection.conn)?;
        let snapshot = text(&mut connection.conn, "SELECT pg_export_snapshot() AS word")?;
        // The snapshot lives as long as this transaction.
        let done = work(&snapshot)?;
        rollback(&mut connection)?;
        Ok((done, migrations, facts))
    })
    .await
}

/// Refuses a database that others are connected to.
pub async fn postgres_ensure_unused(config: &StoreConfig) -> StoreResult<()> {
    let config = config.clone();
    run_blocking(move || {
        let mut connection = open(&config)?;
        let others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let mut connected = number(&mut connection.conn, others)?;
        // Whoever has just left may still be listed.
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
    /// The statements that move all of it into a schema called `new_name` and make an empty one in its place. They are
    /// for the transaction that fills the empty one: so there is never a moment without a database.
    pub fn replace_statements(&self, new_name: &str) -> String {
        let (from, to) = (quoted(&self.name), quoted(new_name));
        format!("ALTER SCHEMA {from} RENAME TO {to}; CREATE SCHEMA {from};")
    }
}

/// The schemas in which replaced databases are kept.
pub(super) fn previous_schemas(c: &mut Conn) -> StoreResult<Vec<String>> {
    texts(
        c,
        &format!(
            "SELECT nspname::text AS word FROM pg_namespace WHERE starts_with(nspname, '{PREVIOUS_SCHEMA_PREFIX}') ORDER BY 1"
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
