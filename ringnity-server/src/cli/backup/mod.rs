//! `backup` and `restore`: what both engines have in common. How a copy is made and put in place is the engine's.

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

/// What a file that is being written is called at its end, so that `doctor` finds those that were left.
pub(super) const PARTIAL_SUFFIX: &str = ".part";
/// What stands between the name of a database and the time at which another took its place.
pub(super) const PREVIOUS_INFIX: &str = ".before-";

/// What `backup` takes.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// Where to; there must be no such file yet
    file: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

/// What `restore` takes.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// A backup that `ringnity-server backup` made on the same engine
    file: PathBuf,
    /// Put it in the place of a database that has tenants or platform administrators; that one is kept beside it
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    common: CommonArgs,
}

/// What a copy holds.
struct BackupContents {
    migrations: MigrationState,
    counts: Option<RowCounts>,
}

/// What was done to put a copy in place.
struct RestoreResult {
    /// Where the database is now that was there before.
    kept_as: Option<String>,
    /// Which migrations the copy lacked.
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
    /// The newest migration that the backup had.
    backup_schema_version: Option<String>,
    /// What was applied to it afterwards.
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

/// Copies the database.
pub(super) async fn backup(arguments: BackupArgs) -> Result<Outcome> {
    let config = arguments.common.store_config()?;
    let (started_at, started) = (Clock::default().now(), Instant::now());
    ensure_absent(&arguments.file)?;
    let (partial, _) = PartialFile::beside(&arguments.file)?;
    let contents = match config.engine() {
        Engine::Sqlite => sqlite::backup(&config, partial.path()).await?,
        Engine::Postgres => postgres::backup(&config, partial.path()).await?,
    };
    let bytes = std::fs::metadata(partial.path()).context("cannot look at the copy")?.len();
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
            "Backup    {}, {} in {} s\nDatabase  {}\nHolds     {counts}\nSchema    {version}\n",
            report.file,
            format_bytes(bytes),
            report.seconds,
            report.database
        )
    })?;
    Ok(Outcome::Success)
}

/// Puts a backup in place of the database.
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
        let mut out = format!("Restored  {} from {}\nHolds     {counts}\n", report.database, report.file);
        if !report.applied.is_empty() {
            out += &format!("Migrated  {} that the backup lacked\n", report.applied.join(", "));
        }
        if let Some(kept) = &report.kept_as {
            out += &format!("Before    kept as {kept}; delete it when you are sure\n");
        }
        out
    })?;
    Ok(Outcome::Success)
}

/// Who is in a database that is to be replaced, in words. What else is in it is kept without a question.
fn describe_accounts(tenants: i64, platform_admins: i64) -> Option<String> {
    match (tenants, platform_admins) {
        (0, 0) => None,
        (_, 0) => Some(format!("has {tenants} tenants")),
        (0, _) => Some(format!("has {platform_admins} platform administrators")),
        _ => Some(format!("has {tenants} tenants and {platform_admins} platform administrators")),
    }
}

/// What a command says that finds somebody where a backup should go.
fn not_empty_error(config: &StoreConfig, words: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{} {words}; restore into another place with --data-dir or --database-url, or say --replace to put the backup \
         in its place (what is there is kept beside it)",
        config.describe()
    )
}

fn ensure_absent(file: &Path) -> Result<()> {
    if file.symlink_metadata().is_ok() {
        bail!("{} is there already; a backup overwrites nothing, so choose another name", file.display());
    }
    Ok(())
}

/// Refuses a file that is no backup of that engine, in words.
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
            "{} is no backup: it is neither an SQLite database nor a dump of PostgreSQL",
            file.display()
        ),
    };
    if found != engine {
        bail!(
            "{} is a backup of {found}, and the database is {engine}; a backup goes back to the engine it is from",
            file.display()
        );
    }
    Ok(())
}

/// A file of this user's alone, under another name until it is whole; gone when that does not come to pass.
struct PartialFile {
    path: PathBuf,
}

impl PartialFile {
    /// Makes one beside `file`; answers it open, too: what stands under its name later, others may have put there.
    fn beside(file: &Path) -> Result<(Self, File)> {
        let name = file.file_name().with_context(|| format!("{} is no name of a file", file.display()))?;
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        // Nobody can know it and have put a file of their own there.
        partial.push(format!(".{}{PARTIAL_SUFFIX}", &random_hex()?[..16]));
        Self::at(file.with_file_name(partial))
    }

    /// Makes the file, empty; one that is there already is somebody else's.
    fn at(path: PathBuf) -> Result<(Self, File)> {
        let opened = private_file(&path).with_context(|| format!("cannot write to {}", path.display()))?;
        Ok((Self { path }, opened))
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, which must still be free.
    fn persist(self, file: &Path) -> Result<()> {
        let cannot = || format!("cannot name the backup {}", file.display());
        // Unlike renaming, linking never replaces what somebody else put there meanwhile.
        match std::fs::hard_link(&self.path, file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => ensure_absent(file)?,
            // Some file systems have no links.
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
            // It is gone already where all went well.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Makes a file that is not there yet, and that only this user may read.
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

/// Waits until the names in the folder of `file` are on disk.
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

/// When a database was replaced, as part of a name.
fn timestamp() -> String {
    Clock::default().now().format("%Y%m%dt%H%M%S%3f").to_string()
}

fn elapsed_seconds(started: Instant) -> f64 {
    (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

/// A number of bytes for people.
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
    fn sizes_are_for_people() {
        for (bytes, text) in
            [(0, "0 bytes"), (12_345, "12.3 kB"), (434_176, "434.1 kB"), (25_000_000, "25.0 MB")]
        {
            assert_eq!(format_bytes(bytes), text);
        }
    }

    #[test]
    fn a_part_is_gone_unless_it_is_placed_and_replaces_nothing() {
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
    fn a_part_is_made_under_a_new_name_and_never_of_a_file_that_is_there() {
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
