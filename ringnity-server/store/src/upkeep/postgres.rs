//! What copying and replacing a PostgreSQL database needs of the database itself; the copying is done by its own
//! tools, outside this room.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};

use super::inspect::{Counts, counts, number, text};
use crate::{
    config::{Place, StoreConfig},
    conn::Link,
    error::{StoreError, StoreResult},
    migrate::{self, MigrationState},
    postgres as pg,
    store::off_the_async_threads,
};

/// Where everything was moved to that was in the database's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// The schema that everything was in.
    pub schema: String,
    /// What that schema is called now.
    pub kept_as: String,
    /// How many tenants are in it.
    pub tenants: i64,
}

/// How many tables the database has, and how many tenants.
pub async fn postgres_tables(config: &StoreConfig) -> StoreResult<(i64, i64)> {
    let config = config.clone();
    off_the_async_threads(move || look(&mut open(&config)?)).await
}

fn look(link: &mut Link) -> StoreResult<(i64, i64)> {
    let tables = "SELECT count(*) AS n FROM pg_tables WHERE schemaname = current_schema()";
    let tables = number(&mut link.conn, tables)?;
    let known =
        "SELECT count(*) AS n FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'tenants'";
    let tenants = if number(&mut link.conn, known)? > 0 {
        number(&mut link.conn, "SELECT count(*) AS n FROM tenants")?
    } else {
        0
    };
    Ok((tables, tenants))
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

/// Moves everything out of the way, into a schema of another name, so that a backup can be put in its place. Refused
/// while others are connected.
pub async fn postgres_set_aside(config: &StoreConfig, kept_as: &str) -> StoreResult<Aside> {
    let (config, kept_as) = (config.clone(), kept_as.to_owned());
    off_the_async_threads(move || {
        let mut link = open(&config)?;
        let others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        // Whoever has just left may still be listed.
        let mut connected = number(&mut link.conn, others)?;
        for _ in 0..20 {
            if connected == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            connected = number(&mut link.conn, others)?;
        }
        if connected > 0 {
            return Err(StoreError::Busy(format!(
                "{connected} other connections use it; stop every server that uses this database first"
            )));
        }
        let (_, tenants) = look(&mut link)?;
        let schema = text(&mut link.conn, "SELECT current_schema()::text AS word")?;
        let (from, to) = (quoted(&schema), quoted(&kept_as));
        in_one(&mut link, &format!("ALTER SCHEMA {from} RENAME TO {to}; CREATE SCHEMA {from}"))?;
        Ok(Aside { schema, kept_as, tenants })
    })
    .await
}

/// Undoes [`postgres_set_aside`], and forgets what came in between.
pub async fn postgres_put_back(config: &StoreConfig, aside: &Aside) -> StoreResult<()> {
    let (from, to) = (quoted(&aside.kept_as), quoted(&aside.schema));
    run(config, format!("DROP SCHEMA {to} CASCADE; ALTER SCHEMA {from} RENAME TO {to}")).await
}

impl Aside {
    /// Deletes it: for what held no tenant.
    pub async fn forget(&self, config: &StoreConfig) -> StoreResult<()> {
        run(config, format!("DROP SCHEMA {} CASCADE", quoted(&self.kept_as))).await
    }
}

async fn run(config: &StoreConfig, sql: String) -> StoreResult<()> {
    let config = config.clone();
    off_the_async_threads(move || in_one(&mut open(&config)?, &sql)).await
}

fn in_one(link: &mut Link, sql: &str) -> StoreResult<()> {
    let conn = link.postgres()?;
    AnsiTransactionManager::begin_transaction(conn)?;
    match conn.batch_execute(sql) {
        Ok(()) => Ok(AnsiTransactionManager::commit_transaction(conn)?),
        Err(error) => {
            // The error that led here says more than a rollback that fails after it.
            let _ = AnsiTransactionManager::rollback_transaction(conn);
            Err(error.into())
        }
    }
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
