//! `backup` and `restore`: the part that both engines share.

mod postgres;
mod sqlite;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use ringnity_store::maintenance::{self, RowCounts};
use ringnity_store::{Engine, MigrationState, StoreConfig};
use serde::Serialize;

use crate::cli::context::CommonArgs;
use crate::cli::output::{Outcome, print};
use crate::clock::Clock;
use crate::secrets::random_hex;

pub(super) use postgres::client_version;

/// Suffix of a file that is being written. `doctor` reports those that were left behind.
pub(super) const PARTIAL_SUFFIX: &str = ".part";
/// In the name of a replaced database: between its name and the time.
pub(super) const PREVIOUS_INFIX: &str = ".before-";

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// File to write, which must not exist
    file: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// File that `ringnity-server backup` wrote on the same database engine
    file: PathBuf,
    /// Replace a database that has tenants or platform administrators; it is kept next to the new one
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    common: CommonArgs,
}

/// What a backup contains.
struct BackupContents {
    migrations: MigrationState,
    counts: Option<RowCounts>,
}

/// What a restore did.
struct RestoreResult {
    /// Where the replaced database was moved.
    kept_as: Option<String>,
    /// Migrations that were applied to the backup.
    applied: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BackupReport {
    file: String,
    database: String,
    engine: String,
    bytes: u64,
    schema_version: Option<String>,
    counts: Option<CountsView>,
    started_at: DateTime<Utc>,
    seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreReport {
    file: String,
    database: String,
    /// The newest migration in the backup.
    backup_schema_version: Option<String>,
    /// Migrations that were applied to it.
    applied: Vec<String>,
    kept_as: Option<String>,
    counts: Option<CountsView>,
    seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountsView {
    tenants: i64,
    platform_admins: i64,
    agents: i64,
    contacts: i64,
    events: i64,
}

impl From<RowCounts> for CountsView {
    fn from(counts: RowCounts) -> Self {
        let RowCounts { tenants, platform_admins, agents, contacts, events } = counts;
        Self { tenants, platform_admins, agents, contacts, events }
    }
}

impl CountsView {
    fn text(&self) -> String {
        let Self { tenants, platform_admins, agents, contacts, events } = self;
        format!(
            "{tenants} tenants, {platform_admins} platform administrators, {agents} agents, {contacts} contacts, {events} \
             events"
        )
    }
}

/// Runs `backup`.
pub(super) async fn backup(arguments: BackupArgs) -> Result<Outcome> {
    let config = arguments.common.store_config()?;
    let (started_at, started) = (Clock::default().now(), Instant::now());
    ensure_absent(&arguments.file)?;
    let (partial, _) = PartialFile::beside(&arguments.file)?;
    let contents = match config.engine() {
        Engine::Sqlite => sqlite::backup(&config, partial.path()).await?,
        Engine::Postgres => postgres::backup(&config, partial.path()).await?,
    };
    let bytes = std::fs::metadata(partial.path()).context("cannot read the copy")?.len();
    partial.persist(&arguments.file)?;
    let report = BackupReport {
        file: arguments.file.display().to_string(),
        database: config.describe(),
        engine: config.engine().to_string(),
        bytes,
        schema_version: contents.migrations.newest().map(str::to_owned),
        counts: contents.counts.map(CountsView::from),
        started_at,
        seconds: elapsed_seconds(started),
    };
    print(arguments.common.json, &report, || {
        let counts = report.counts.as_ref().map(CountsView::text).unwrap_or_default();
        let version = report.schema_version.as_deref().unwrap_or_default();
        format!(
            "Backup    {}, {} in {} s\nDatabase  {}\nContains  {counts}\nSchema    {version}\n",
            report.file,
            format_bytes(bytes),
            report.seconds,
            report.database
        )
    })?;
    Ok(Outcome::Success)
}

/// Runs `restore`.
pub(super) async fn restore(arguments: RestoreArgs) -> Result<Outcome> {
    let config = arguments.common.store_config()?;
    let started = Instant::now();
    let file = &arguments.file;
    ensure_backup_of(config.engine(), file)?;
    let (contents, result) = match config.engine() {
        Engine::Sqlite => sqlite::restore(&config, file, arguments.replace).await?,
        Engine::Postgres => postgres::restore(&config, file, arguments.replace).await?,
    };
    let now = maintenance::inspect(&config, || Clock::default().now()).await?;
    let report = RestoreReport {
        file: file.display().to_string(),
        database: config.describe(),
        backup_schema_version: contents.migrations.newest().map(str::to_owned),
        applied: result.applied,
        kept_as: result.kept_as,
        counts: now.counts.map(CountsView::from),
        seconds: elapsed_seconds(started),
    };
    print(arguments.common.json, &report, || {
        let counts = report.counts.as_ref().map(CountsView::text).unwrap_or_default();
        let mut out = format!("Restored  {} from {}\nContains  {counts}\n", report.database, report.file);
        if !report.applied.is_empty() {
            out += &format!("Migrated  {}\n", report.applied.join(", "));
        }
        if let Some(kept) = &report.kept_as {
            out += &format!("Previous  kept as {kept}; delete it when you no longer need it\n");
        }
        out
    })?;
    Ok(Outcome::Success)
}

/// Describes the accounts in a database that a restore would replace; `None` if there are none.
fn describe_accounts(tenants: i64, platform_admins: i64) -> Option<String> {
    match (tenants, platform_admins) {
        (0, 0) => None,
        (_, 0) => Some(format!("has {tenants} tenants")),
        (0, _) => Some(format!("has {platform_admins} platform administrators")),
        _ => Some(format!("has {tenants} tenants and {platform_admins} platform administrators")),
    }
}

/// The error for a restore over a database that is in use.
fn not_empty_error(config: &StoreConfig, words: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{} {words}; restore to another location with --data-dir or --database-url, or pass --replace to replace it \
         (it is kept next to the restored database)",
        config.describe()
    )
}

fn ensure_absent(file: &Path) -> Result<()> {
    if file.symlink_metadata().is_ok() {
        bail!("{} already exists; choose another name", file.display());
    }
    Ok(())
}

/// Checks that a file is a backup of that engine.
fn ensure_backup_of(engine: Engine, file: &Path) -> Result<()> {
    use std::io::Read as _;
    let mut begin = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(16).read_to_end(&mut begin))
        .with_context(|| format!("cannot read the backup {}", file.display()))?;
    let found = match begin.as_slice() {
        b"SQLite format 3\0" => Engine::Sqlite,
        other if other.starts_with(b"PGDMP") => Engine::Postgres,
        _ => bail!(
            "{} is not a backup: it is neither an SQLite database nor a PostgreSQL dump",
            file.display()
        ),
    };
    if found != engine {
        bail!(
            "{} is a backup of {found}, but the database is {engine}; restore it to {found}",
            file.display()
        );
    }
    Ok(())
}

/// A file under a temporary name, readable only by the current user. Dropping it removes it.
struct PartialFile {
    path: PathBuf,
}

impl PartialFile {
    /// Creates one next to `file` and returns it open: something else may have its name later.
    fn beside(file: &Path) -> Result<(Self, File)> {
        let name = file.file_name().with_context(|| format!("{} is not a file name", file.display()))?;
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        // Random, so that nobody can have created a file of that name.
        partial.push(format!(".{}{PARTIAL_SUFFIX}", &random_hex()?[..16]));
        Self::at(file.with_file_name(partial))
    }

    /// Creates the file; fails if it exists.
    fn at(path: PathBuf) -> Result<(Self, File)> {
        let opened = private_file(&path).with_context(|| format!("cannot write to {}", path.display()))?;
        Ok((Self { path }, opened))
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Renames it to `file`, which must not exist.
    fn persist(self, file: &Path) -> Result<()> {
        let cannot = || format!("cannot name the backup {}", file.display());
        // Unlike a rename, a link never replaces an existing file.
        match std::fs::hard_link(&self.path, file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => ensure_absent(file)?,
            // Some file systems have no hard links.
            Err(_) => std::fs::rename(&self.path, file).with_context(cannot)?,
        }
        sync_folder(file)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.path.clone().into_os_string();
            path.push(end);
            // Missing after a success.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Creates a new file that only the current user may read.
fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Syncs the directory of `file`.
fn sync_folder(file: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = maintenance::parent_folder(file);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot write the folder {} to disk", folder.display()))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// The time as part of a file name.
fn timestamp() -> String {
    Clock::default().now().format("%Y%m%dt%H%M%S%3f").to_string()
}

fn elapsed_seconds(started: Instant) -> f64 {
    (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

/// A number of bytes as text.
pub(super) fn format_bytes(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} kB", tenths(1_000)),
        10_000_000..=9_999_999_999 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_bytes() {
        for (bytes, text) in
            [(0, "0 bytes"), (12_345, "12.3 kB"), (434_176, "434.1 kB"), (25_000_000, "25.0 MB")]
        {
            assert_eq!(format_bytes(bytes), text);
        }
    }

    #[test]
    fn partial_file_is_removed_and_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("b.db");
        let files = || std::fs::read_dir(folder.path()).expect("a folder").count();
        let (partial, _) = PartialFile::beside(&file).expect("a part");
        std::fs::write(partial.path(), "half").expect("writes");
        drop(partial);
        assert_eq!(files(), 0);
        let (partial, _) = PartialFile::beside(&file).expect("a part");
        std::fs::write(partial.path(), "whole").expect("writes");
        std::fs::write(&file, "somebody else's").expect("writes");
        assert!(partial.persist(&file).is_err());
        assert_eq!(std::fs::read_to_string(&file).expect("reads"), "somebody else's");
        assert_eq!(files(), 1);
    }

    #[test]
    fn partial_file_has_a_new_name_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("b.db");
        let [(one, _), (other, _)] = [(); 2].map(|()| PartialFile::beside(&file).expect("a part"));
        assert_ne!(one.path(), other.path());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(one.path()).expect("the part").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for text in ["", "somebody else's"] {
            std::fs::write(&file, text).expect("writes");
            assert!(PartialFile::at(file.clone()).is_err());
            assert_eq!(std::fs::read_to_string(&file).expect("it is still there"), text);
        }
    }
}
