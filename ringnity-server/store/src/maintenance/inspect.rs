//! Looking at a database: whether it is sound, what it holds, how late it is. Changes nothing.

use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use super::{postgres, state};
use crate::{
    engine::{
        Conn, Place, Stamp, StoreConfig, StoreResult,
        migrate::MigrationState,
        off_the_async_threads, postgres as pg,
        sqlite::{self, Use},
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
    pub kept: Vec<String>,
    /// Its clock, and ours at the same moment.
    pub clocks: (DateTime<Utc>, DateTime<Utc>),
    /// How large it is.
    pub bytes: i64,
    /// What is in it; nothing where it was never migrated.
    pub counts: Option<Counts>,
    /// Work that waits; nothing where it was never migrated.
    pub backlog: Option<Backlog>,
}

/// How many of something a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub tenants: i64,
    pub platform_admins: i64,
    pub agents: i64,
    pub contacts: i64,
    pub events: i64,
}

/// Looks at the whole database; `now` is the caller's clock.
pub async fn inspect(
    config: &StoreConfig,
    now: impl Fn() -> DateTime<Utc> + Send + 'static,
) -> StoreResult<Inspection> {
    let config = config.clone();
    off_the_async_threads(move || {
        let migrations = state(&config)?;
        let mut link = match &config.place {
            Place::Sqlite(path) => sqlite::open(path, Use::Read)?,
            Place::Postgres(url) => pg::open(url)?,
        };
        let c = &mut link.conn;
        let (damage, orphans, kept, engine, bytes) = match &config.place {
            Place::Sqlite(_) => (
                sqlite_damage(c, "quick_check")?,
                sqlite_orphans(c)?,
                Vec::new(),
                format!("SQLite {}", text(c, "SELECT sqlite_version() AS word")?),
                number(c, "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()")?,
            ),
            Place::Postgres(_) => (
                Vec::new(),
                Vec::new(),
                postgres::kept(c)?,
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
            kept,
            clocks: (theirs, now() - half),
            bytes,
            counts: if migrated { Some(counts(c)?) } else { None },
            backlog: if migrated { Some(job_backlog(c, now())?) } else { None },
            migrations,
        })
    })
    .await
}

/// What `PRAGMA quick_check` or `integrity_check` finds.
pub(super) fn sqlite_damage(c: &mut Conn, check: &str) -> StoreResult<Vec<String>> {
    let found = words(c, &format!("SELECT {check} AS word FROM pragma_{check}()"))?;
    Ok(found.into_iter().filter(|word| word != "ok").collect())
}

/// Tables with rows that refer to nothing.
pub(super) fn sqlite_orphans(c: &mut Conn) -> StoreResult<Vec<String>> {
    words(c, "SELECT DISTINCT \"table\" AS word FROM pragma_foreign_key_check()")
}

pub(super) fn counts(c: &mut Conn) -> StoreResult<Counts> {
    Ok(Counts {
        tenants: number(c, "SELECT count(*) AS n FROM tenants")?,
        platform_admins: number(c, "SELECT count(*) AS n FROM platform_admins")?,
        agents: number(c, "SELECT count(*) AS n FROM agents")?,
        contacts: number(c, "SELECT count(*) AS n FROM contacts")?,
        events: number(c, "SELECT count(*) AS n FROM events")?,
    })
}

fn clock(c: &mut Conn) -> StoreResult<DateTime<Utc>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = crate::engine::Moment)]
        at: Stamp,
    }
    let row: Row = match c {
        Conn::Sqlite(c) => {
            diesel::sql_query("SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') AS at").get_result(c)?
        }
        Conn::Postgres(c) => diesel::sql_query("SELECT clock_timestamp() AS at").get_result(c)?,
    };
    Ok(row.at.into())
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

pub(super) fn words(c: &mut Conn, sql: &str) -> StoreResult<Vec<String>> {
    let found: Vec<Word> = diesel::sql_query(sql).load(c)?;
    Ok(found.into_iter().map(|row| row.word).collect())
}

pub(super) fn text(c: &mut Conn, sql: &str) -> StoreResult<String> {
    Ok(diesel::sql_query(sql).get_result::<Word>(c)?.word)
}

pub(super) fn number(c: &mut Conn, sql: &str) -> StoreResult<i64> {
    Ok(diesel::sql_query(sql).get_result::<Number>(c)?.n)
}
