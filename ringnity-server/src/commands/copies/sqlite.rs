//! Copies of an SQLite database: a file, made while the server runs, put back while it does not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ringnity_store::{StoreConfig, StoreError, upkeep};

use super::{BEFORE, Facts, Part, Placed, has_tenants, stamp, sync_folder};
use crate::claim;
use crate::commands::migrate;

/// Copies the database into `part` and looks at every page of the copy.
pub(super) async fn backup(config: &StoreConfig, part: &Path) -> Result<Facts> {
    let database = path_of(config)?;
    upkeep::migration_state(config).await?.refuse_newer()?;
    upkeep::sqlite_backup(database, part).await.context("cannot copy the database")?;
    let facts = upkeep::sqlite_check(part).await.context("the copy is not sound, so it is not kept")?;
    Ok(Facts { migrations: facts.migrations, counts: facts.counts })
}

/// Puts a copy of `file` in place of the database.
pub(super) async fn restore(config: &StoreConfig, file: &Path, replace: bool) -> Result<(Facts, Placed)> {
    let database = path_of(config)?;
    let _claim = claim::take(database)?;
    // The backup itself is never opened as a database: it may lie where nothing can be written.
    let part = Part::beside(database)?;
    copy(file, part.path())
        .with_context(|| format!("cannot copy {} to {}", file.display(), database.display()))?;
    let facts = upkeep::sqlite_check(part.path()).await.map_err(|error| match error {
        StoreError::Missing(_) => anyhow::anyhow!("{} is a database, and none of Ringnity", file.display()),
        other => anyhow::Error::from(other).context(format!("{} cannot be restored", file.display())),
    })?;
    facts.migrations.refuse_newer()?;
    let kept_as = if database.exists() { set_aside(config, database, replace).await? } else { None };
    for end in ["-wal", "-shm"] {
        // A log of another database would be taken for this one's.
        match std::fs::remove_file(with(database, end)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("cannot remove the old database's log");
            }
            _ => {}
        }
    }
    std::fs::rename(part.path(), database).context("cannot put the backup in place")?;
    sync_folder(database)?;
    let applied = migrate::apply_claimed(config).await?;
    Ok((
        Facts { migrations: facts.migrations, counts: facts.counts },
        Placed { kept_as: kept_as.map(|path| path.display().to_string()), applied },
    ))
}

/// Gives the database that is there a second name, under which it stays; one without tenants needs none.
async fn set_aside(config: &StoreConfig, database: &Path, replace: bool) -> Result<Option<PathBuf>> {
    let whole = upkeep::sqlite_checkpoint(database).await.is_ok();
    let tenants = match upkeep::sqlite_check(database).await {
        Ok(facts) => facts.counts.map(|counts| counts.tenants),
        Err(_) if std::fs::metadata(database).is_ok_and(|found| found.len() == 0) => Some(0),
        Err(_) => None,
    };
    match tenants {
        Some(0) => return Ok(None),
        Some(count) if !replace => return Err(has_tenants(config, &format!("has {count} tenants"))),
        None if !replace => return Err(has_tenants(config, "cannot be read, so it may hold something")),
        _ => {}
    }
    let kept = with(database, &format!("{BEFORE}{}", stamp()));
    if std::fs::hard_link(database, &kept).is_err() {
        copy(database, &kept).context("cannot keep the database that is there")?;
    }
    if !whole && with(database, "-wal").exists() {
        // What is in the log could not be brought into the file, so the log stays with it.
        std::fs::rename(with(database, "-wal"), with(&kept, "-wal"))
            .context("cannot keep the log of the database that is there")?;
    }
    Ok(Some(kept))
}

/// Copies a file for this user only, and waits until it is on disk.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut target = options.open(to)?;
    std::io::copy(&mut std::fs::File::open(from)?, &mut target)?;
    target.sync_all()
}

fn path_of(config: &StoreConfig) -> Result<&Path> {
    match config.sqlite_path() {
        Some(path) => Ok(path),
        None => bail!("{} is no SQLite database", config.describe()),
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}
