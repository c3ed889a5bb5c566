//! `migrate`: applies pending migrations, or lists them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ringnity_store::{Engine, MigrationState, Store, StoreConfig, StoreError, maintenance};
use serde::Serialize;

use crate::cli::context::CommonArgs;
use crate::cli::output::{Outcome, print};
use crate::database_lock::{self, LockError};

/// How long to wait for the lock of the database.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause between two attempts to lock it.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Arguments of `migrate`.
#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Only check: exit code 1 if migrations are pending
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    database: String,
    /// Migrations that this command applied.
    applied: Vec<String>,
    pending: Vec<String>,
    /// The newest applied migration.
    schema_version: Option<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: MigrateArgs) -> Result<Outcome> {
    let config = arguments.common.store_config()?;
    let before = state(&config).await?;
    before.ensure_not_newer()?;
    let (applied, after) = if arguments.check || before.pending.is_empty() {
        (Vec::new(), before)
    } else {
        // Another process may have applied some, so the state is read again.
        (apply(&config).await?, state(&config).await?)
    };
    let report = Report {
        database: config.describe(),
        schema_version: after.newest().map(str::to_owned),
        applied,
        pending: after.pending,
    };
    print(arguments.common.json, &report, || text(&report))?;
    Ok(if report.pending.is_empty() { Outcome::Success } else { Outcome::Failure })
}

/// The applied migrations; none if the database does not exist.
async fn state(config: &StoreConfig) -> Result<MigrationState> {
    match maintenance::migration_state(config).await {
        Err(StoreError::Missing(_)) => Ok(MigrationState::from_versions(&[])?),
        other => Ok(other?),
    }
}

/// Applies pending migrations. Locks an SQLite file, because a running server would keep using the old schema. Waits a
/// few seconds for the lock, which is enough for another `migrate`.
async fn apply(config: &StoreConfig) -> Result<Vec<String>> {
    let started = Instant::now();
    let lock = loop {
        match config.sqlite_path().map(database_lock::acquire).transpose() {
            Err(LockError::Held(_)) if started.elapsed() < LOCK_TIMEOUT => {
                tokio::time::sleep(LOCK_RETRY_INTERVAL).await
            }
            other => break other?,
        }
    };
    let applied = apply_locked(config).await;
    drop(lock);
    applied
}

/// Applies pending migrations; the caller holds the lock.
pub(super) async fn apply_locked(config: &StoreConfig) -> Result<Vec<String>> {
    Store::migrate(config).await.with_context(|| match config.engine() {
        Engine::Sqlite => {
            format!("cannot migrate {}; choose another folder with --data-dir", config.describe())
        }
        Engine::Postgres => format!("cannot migrate {} of --database-url", config.describe()),
    })
}

fn text(report: &Report) -> String {
    let list = |names: &[String]| names.iter().map(|name| format!("  {name}\n")).collect::<String>();
    if !report.pending.is_empty() {
        return format!(
            "Pending migrations of {}:\n{}Run `ringnity-server migrate` or start the server to apply them.",
            report.database,
            list(&report.pending)
        );
    }
    if report.applied.is_empty() {
        return format!("{} is up to date.", report.database);
    }
    format!("{} is up to date now. Applied:\n{}", report.database, list(&report.applied))
}
