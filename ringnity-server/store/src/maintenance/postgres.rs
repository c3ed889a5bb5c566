//! What copying and replacing a PostgreSQL database needs of the database itself; the copying is done by its own
//! tools, outside this room.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::scalars::{Counts, counts, number, text, words};
use crate::engine::{
    Conn, Link, Place, StoreConfig, StoreError, StoreResult,
    migrate::{self, MigrationState},
    off_the_async_threads, postgres as pg,
};

/// What schemas are called in which replaced databases are kept; backups leave them out.
pub const KEPT: &str = "ringnity_before_";

/// What is in the schema that the database's tables belong in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
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
pub async fn postgres_schema(config: &StoreConfig) -> StoreResult<Schema> {
    let config = config.clone();
    off_the_async_threads(move || {
        let mut link = open(&config)?;
        let c = &mut link.conn;
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
        Ok(Schema { name, tables, tenants, platform_admins })
    })
    .await
}

/// Runs `work` with the name of a snapshot that other connections can take up, and answers beside its result what is
/// in that snapshot.
pub async fn postgres_dump<T, E, F>(config: &StoreConfig, work: F) -> Result<(T, MigrationState, Counts), E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&str) -> Result<T, E> + Send + 'static,
{
    let config = config.clone();
    off_the_async_threads(move || {
        let mut link = open(&config)?;
        let migrations = migrate::postgres_state(link.postgres()?)?;
        begin(&mut link)?;
        let facts = counts(&mut link.conn)?;
        let snapshot = text(&mut link.conn, "SELECT pg_export_snapshot() AS word")?;
        // The snapshot lives as long as this transaction.
        let done = work(&snapshot)?;
        rollback(&mut link)?;
        Ok((done, migrations, facts))
    })
    .await
}

/// Refuses a database that others are connected to.
pub async fn postgres_must_be_alone(config: &StoreConfig) -> StoreResult<()> {
    let config = config.clone();
    off_the_async_threads(move || {
        let mut link = open(&config)?;
        let others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let mut connected = number(&mut link.conn, others)?;
        // Whoever has just left may still be listed.
        for _ in 0..20 {
            if connected == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
            connected = number(&mut link.conn, others)?;
        }
        Err(StoreError::Busy(format!(
            "{connected} other connections use it; stop every server that uses this database first"
        )))
    })
    .await
}

impl Schema {
    /// The statements that move all of it into a schema called `kept_as` and make an empty one in its place. They are
    /// for the transaction that fills the empty one: so there is never a moment without a database.
    pub fn make_room(&self, kept_as: &str) -> String {
        let (from, to) = (quoted(&self.name), quoted(kept_as));
        format!("ALTER SCHEMA {from} RENAME TO {to}; CREATE SCHEMA {from};")
    }
}

/// The schemas in which replaced databases are kept.
pub(super) fn kept(c: &mut Conn) -> StoreResult<Vec<String>> {
    words(
        c,
        &format!(
            "SELECT nspname::text AS word FROM pg_namespace WHERE starts_with(nspname, '{KEPT}') ORDER BY 1"
        ),
    )
}

fn begin(link: &mut Link) -> StoreResult<()> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    Ok(AnsiTransactionManager::begin_transaction_sql(link.postgres()?, begin)?)
}

fn rollback(link: &mut Link) -> StoreResult<()> {
    Ok(AnsiTransactionManager::rollback_transaction(link.postgres()?)?)
}

fn open(config: &StoreConfig) -> StoreResult<Link> {
    match &config.place {
        Place::Postgres(url) => pg::open(url),
        Place::Sqlite(_) => Err(StoreError::Other("expected a PostgreSQL database".into())),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
