//! Looking at a database: whether it is sound, what it holds, how late it is. Changes nothing.

use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, RunQueryDsl};

use super::{
    postgres,
    scalars::{RowCounts, counts, number, text},
    sqlite::{sqlite_damage, sqlite_orphans},
};
use crate::{
    engine::{
        Conn, DatabaseLocation, DbTimestamp, StoreConfig, StoreResult,
        migrate::{self, MigrationState},
        postgres as pg, run_blocking,
        sqlite::{self, OpenMode},
    },
    jobs::{Backlog, job_backlog},
};

/// What was seen of a database.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its migrations.
    pub migrations: MigrationState,
    /// What its version calls itself.
    pub engine: String,
    /// Damage, in the database's own words. PostgreSQL watches over its own pages.
    pub damage: Vec<String>,
    /// Tables with rows that refer to nothing.
    pub orphans: Vec<String>,
    /// Schemas in which databases are kept that were replaced; on SQLite these are files.
    pub previous_schemas: Vec<String>,
    /// Its clock, and ours at the same moment.
    pub clocks: (DateTime<Utc>, DateTime<Utc>),
    /// How large it is.
    pub bytes: i64,
    /// What is in it; nothing where it was never migrated.
    pub counts: Option<RowCounts>,
    /// Work that waits; nothing where it was never migrated.
    pub backlog: Option<Backlog>,
}

/// Looks at the whole database; `now` is the caller's clock.
pub async fn inspect(
    config: &StoreConfig,
    now: impl Fn() -> DateTime<Utc> + Send + 'static,
) -> StoreResult<Inspection> {
    let config = config.clone();
    run_blocking(move || {
        let migrations = migrate::state_of(&config)?;
        let mut connection = match &config.location {
            DatabaseLocation::Sqlite(path) => sqlite::open(path, OpenMode::Read)?,
            DatabaseLocation::Postgres(url) => pg::open(url)?,
        };
        let c = &mut connection.conn;
        let (damage, orphans, previous_schemas, engine, bytes) = match &config.location {
            DatabaseLocation::Sqlite(_) => (
                sqlite_damage(c, "quick_check")?,
                sqlite_orphans(c)?,
                Vec::new(),
                format!("SQLite {}", text(c, "SELECT sqlite_version() AS word")?),
                number(c, "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()")?,
            ),
            DatabaseLocation::Postgres(_) => (
                Vec::new(),
                Vec::new(),
                postgres::previous_schemas(c)?,
                format!("PostgreSQL {}", text(c, "SELECT current_setting('server_version') AS word")?),
                number(c, "SELECT pg_database_size(current_database()) AS n")?,
            ),
        };
        let before = Instant::now();
        let theirs = clock(c)?;
        // It was read somewhere between asking and hearing the answer.
        let half = chrono::TimeDelta::from_std(before.elapsed() / 2).unwrap_or_default();
        let migrated = migrations.pending.is_empty();
        Ok(Inspection {
            engine,
            damage,
            orphans,
            previous_schemas,
            clocks: (theirs, now() - half),
            bytes,
            counts: if migrated { Some(counts(c)?) } else { None },
            backlog: if migrated { Some(job_backlog(c, now())?) } else { None },
            migrations,
        })
    })
    .await
}

fn clock(c: &mut Conn) -> StoreResult<DateTime<Utc>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = crate::engine::UtcTimestamp)]
        at: DbTimestamp,
    }
    let row: Row = match c {
        Conn::Sqlite(c) => {
            diesel::sql_query("SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') AS at").get_result(c)?
        }
        Conn::Postgres(c) => diesel::sql_query("SELECT clock_timestamp() AS at").get_result(c)?,
    };
    Ok(row.at.into())
}
