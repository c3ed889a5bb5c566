//! Backup and restore of an SQLite database.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ringnity_store::maintenance::{self, SqliteExclusiveLock, SqliteFileInfo};
use ringnity_store::{StoreConfig, StoreError};

use crate::cli::backup::{
    BackupContents, PREVIOUS_INFIX, PartialFile, RestoreResult, describe_accounts, not_empty_error,
    private_file, sync_folder, timestamp,
};
use crate::cli::migrate;
use crate::database_lock;

/// Suffixes of the files that SQLite keeps next to a database.
const JOURNAL_SUFFIXES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Copies the database into the empty file `partial` and checks the integrity of the copy.
pub(super) async fn backup(config: &StoreConfig, partial: &Path) -> Result<BackupContents> {
    let database = path_of(config)?;
    maintenance::migration_state(config).await?.ensure_not_newer()?;
    maintenance::sqlite_backup(database, partial).await.context("cannot copy the database")?;
    let contents = maintenance::sqlite_check(partial).await.context("the copy is damaged and was deleted")?;
    Ok(BackupContents { migrations: contents.migrations, counts: contents.counts })
}

/// Replaces the database by a copy of `file`.
pub(super) async fn restore(
    config: &StoreConfig,
    file: &Path,
    replace: bool,
) -> Result<(BackupContents, RestoreResult)> {
    let database = path_of(config)?;
    let _lock = database_lock::acquire(database)?;
    // The backup itself is never opened as a database: it may be on a read-only file system.
    let (partial, opened) = PartialFile::beside(database)?;
    maintenance::chown_like(&opened, database, maintenance::owner_reference(database));
    copy(file, opened)
        .with_context(|| format!("cannot copy {} to {}", file.display(), database.display()))?;
    let contents = maintenance::sqlite_check(partial.path()).await.map_err(|error| match error {
        StoreError::Missing(_) => anyhow::anyhow!("{} is not a database of Ringnity", file.display()),
        other => anyhow::Error::from(other).context(format!("{} cannot be restored", file.display())),
    })?;
    contents.migrations.ensure_not_newer()?;
    let kept = if database.exists() {
        keep_existing(config, database, replace).await?
    } else {
        KeptDatabase::default()
    };
    for end in JOURNAL_SUFFIXES {
        // SQLite would replay the journal of the old database.
        match std::fs::remove_file(with_suffix(database, end)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("cannot remove the journal of the old database");
            }
            _ => {}
        }
    }
    let KeptDatabase { kept_as, alone, source } = kept;
    // Only on Unix can an open file be replaced.
    #[cfg(not(unix))]
    let (alone, source) = (drop(alone), drop(source));
    std::fs::rename(partial.path(), database).context("cannot put the backup in place")?;
    sync_folder(database)?;
    // Waiting processes may go on: SQLite does not write to a file that was unlinked.
    drop((alone, source));
    let applied = migrate::apply_locked(config).await?;
    Ok((
        BackupContents { migrations: contents.migrations, counts: contents.counts },
        RestoreResult { kept_as: kept_as.map(|path| path.display().to_string()), applied },
    ))
}

/// A database that is replaced.
#[derive(Default)]
struct KeptDatabase {
    /// New path.
    kept_as: Option<PathBuf>,
    /// Locks it until it has been replaced.
    alone: Option<SqliteExclusiveLock>,
    /// The open source of a copy: closing it would release the lock.
    source: Option<File>,
}

/// Keeps the existing database under a second name, unless it is an empty file.
async fn keep_existing(config: &StoreConfig, database: &Path, replace: bool) -> Result<KeptDatabase> {
    let is_empty = || std::fs::metadata(database).is_ok_and(|found| found.len() == 0);
    let found = match maintenance::sqlite_check(database).await {
        Ok(SqliteFileInfo { counts: Some(counts), .. }) => {
            describe_accounts(counts.tenants, counts.platform_admins)
        }
        _ if is_empty() => None,
        _ => Some("cannot be read, so it may contain data".to_owned()),
    };
    if let Some(words) = found.filter(|_| !replace) {
        return Err(not_empty_error(config, &words));
    }
    let alone = match maintenance::sqlite_lock_exclusively(database).await {
        Ok(alone) => Some(alone),
        // A damaged database: its journal cannot be applied.
        Err(StoreError::Corrupt(_)) => None,
        Err(error) => {
            let words = format!("cannot lock {} exclusively; nothing was changed", config.describe());
            return Err(anyhow::Error::from(error).context(words));
        }
    };
    if is_empty() {
        return Ok(KeptDatabase { alone, ..KeptDatabase::default() });
    }
    let kept = with_suffix(database, &format!("{PREVIOUS_INFIX}{}", timestamp()));
    let source = match std::fs::hard_link(database, &kept) {
        Ok(()) => None,
        Err(_) => {
            let copied = private_file(&kept).and_then(|to| {
                maintenance::chown_like(&to, &kept, database);
                copy(database, to)
            });
            Some(copied.context("cannot keep a copy of the existing database")?)
        }
    };
    if alone.is_none() {
        for end in JOURNAL_SUFFIXES.into_iter().filter(|end| with_suffix(database, end).exists()) {
            std::fs::rename(with_suffix(database, end), with_suffix(&kept, end))
                .context("cannot keep the journal of the existing database")?;
        }
    }
    Ok(KeptDatabase { kept_as: Some(kept), alone, source })
}

/// Copies a file into another and syncs it. Returns the source, still open.
fn copy(from: &Path, mut to: File) -> std::io::Result<File> {
    let mut source = File::open(from)?;
    std::io::copy(&mut source, &mut to)?;
    to.sync_all()?;
    Ok(source)
}

fn path_of(config: &StoreConfig) -> Result<&Path> {
    match config.sqlite_path() {
        Some(path) => Ok(path),
        None => bail!("{} is not an SQLite database", config.describe()),
    }
}

fn with_suffix(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}
