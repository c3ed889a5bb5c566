//! Read-only inspection of a database: integrity, contents, clock, backlog.

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

/// Result of an inspection.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Migrations of the database.
    pub migrations: MigrationState,
    /// Name and version of the engine, such as `SQLite 3.50.2`.
    pub engine: String,
    /// Messages of SQLite's integrity check. Always empty on PostgreSQL, which checks its pages itself.
    pub damage: Vec<String>,
    /// Tables with rows that violate a foreign key. Always empty on PostgreSQL.
    pub orphans: Vec<String>,
    /// PostgreSQL schemas that contain databases replaced by a restore. Always empty on SQLite, where these are files.
    pub previous_schemas: Vec<String>,
    /// Time of the database and of the caller at the same moment.
    pub clocks: (DateTime<Utc>, DateTime<Utc>),
    /// Size in bytes.
    pub bytes: i64,
    /// Row counts; `None` if migrations are pending.
    pub counts: Option<RowCounts>,
    /// Overdue and failing jobs; `None` if migrations are pending.
    pub backlog: Option<Backlog>,
}

/// Inspects a database. `now` is the caller's clock. Returns [`StoreError::Missing`](crate::StoreError::Missing) if there is
/// no SQLite file.
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
                format!("SQLite {}", text(c, "SELECT sqlite_version() AS value")?),
                number(c, "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()")?,
            ),
            DatabaseLocation::Postgres(_) => (
                Vec::new(),
                Vec::new(),
                postgres::previous_schemas(c)?,
                format!("PostgreSQL {}", text(c, "SELECT current_setting('server_version') AS value")?),
                number(c, "SELECT pg_database_size(current_database()) AS n")?,
            ),
        };
        let before = Instant::now();
        let database_time = clock(c)?;
        // The database read its clock between the query and its result; assume halfway.
        let half = chrono::TimeDelta::from_std(before.elapsed() / 2).unwrap_or_default();
        let migrated = migrations.pending.is_empty();
        Ok(Inspection {
            engine,
            damage,
            orphans,
            previous_schemas,
            clocks: (database_time, now() - half),
            bytes,
            counts: if migrated { Some(counts(c)?) } else { None },
            backlog: if migrated { Some(job_backlog(c, now())?) } else { None },
            migrations,
        })
    })
    .await
}

/// The time of the database.
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
