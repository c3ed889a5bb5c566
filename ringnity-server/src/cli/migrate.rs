//! `migrate`: brings the database up to date, or tells what it lacks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ringnity_store::{Engine, MigrationState, Store, StoreConfig, StoreError, maintenance};
use serde::Serialize;

use crate::cli::context::CommonArgs;
use crate::cli::output::{Outcome, print};
use crate::database_lock::{self, LockError};

/// How long the database may be somebody else's before that is told.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait before looking again.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// What `migrate` takes.
#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Change nothing; exit code 1 if the database lacks anything
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    database: String,
    /// What was applied by this command.
    applied: Vec<String>,
    pending: Vec<String>,
    /// The newest migration that the database has.
    schema_version: Option<String>,
}

/// Runs it.
pub(super) async fn run(arguments: MigrateArgs) -> Result<Outcome> {
    let config = arguments.common.store_config()?;
    let before = state(&config).await?;
    before.ensure_not_newer()?;
    let (applied, after) = if arguments.check || before.pending.is_empty() {
        (Vec::new(), before)
    } else {
        // Another process may have been faster; what counts is how the database is then.
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

/// What the database has; one that is not there yet has nothing.
async fn state(config: &StoreConfig) -> Result<MigrationState> {
    match maintenance::migration_state(config).await {
        Err(StoreError::Missing(_)) => Ok(MigrationState::from_versions(&[])?),
        other => Ok(other?),
    }
}

/// Applies what is pending. An SQLite file must be nobody else's meanwhile: its server would go on with the old one.
/// Another `migrate` is waited for; a server does not go away by itself.
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

/// The same, for a command that has the database for itself already.
pub(super) async fn apply_locked(config: &StoreConfig) -> Result<Vec<String>> {
    Store::migrate(config).await.with_context(|| match config.engine() {
        Engine::Sqlite => {
            format!("cannot migrate {}; choose another place with --data-dir", config.describe())
        }
        Engine::Postgres => format!("cannot migrate {} of --database-url", config.describe()),
    })
}

fn text(report: &Report) -> String {
    let list = |names: &[String]| names.iter().map(|name| format!("  {name}\n")).collect::<String>();
    if !report.pending.is_empty() {
        return format!(
            "{} lacks:\n{}`ringnity-server migrate` applies them, and so does a server that starts.",
            report.database,
            list(&report.pending)
        );
    }
    if report.applied.is_empty() {
        return format!("{} is up to date.", report.database);
    }
    format!("{} is up to date now. Applied:\n{}", report.database, list(&report.applied))
}
