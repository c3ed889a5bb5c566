//! Exclusive use of an SQLite file by one server or command.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use ringnity_store::maintenance;

/// The lock of an SQLite file, held until dropped.
#[derive(Debug)]
pub(crate) struct DatabaseLock {
    _file: File,
}

/// Why a file cannot be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// A server or a command holds the lock.
    #[error("a server uses the database {0}, or a command has locked it; stop it first")]
    Held(String),
    /// The lock file cannot be written.
    #[error("cannot write to {0}: {1}")]
    Unwritable(String, io::Error),
}

/// Locks the database at that path. The lock is on a file next to it: SQLite has locks of its own on the database,
/// which end when any handle in the process is closed.
pub(crate) fn acquire(database: &Path) -> Result<DatabaseLock, LockError> {
    let path = lock_path(database);
    let unwritable = |error| LockError::Unwritable(path.display().to_string(), error);
    if let Some(folder) = database.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let file = lock_file(&path, database).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LockError::Held(database.display().to_string())),
        // Some network file systems have no locks; SQLite reports that itself.
        Err(TryLockError::Error(error)) => tracing::warn!("cannot lock {}: {error}", path.display()),
    }
    Ok(DatabaseLock { _file: file })
}

/// Whether the database at that path is locked. Creates no file.
pub(crate) fn is_held(database: &Path) -> bool {
    File::open(lock_path(database))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens the lock file. Only a new file gets the owner of the database: an existing one may be anything.
fn lock_file(path: &Path, database: &Path) -> io::Result<File> {
    match File::options().write(true).create_new(true).open(path) {
        Ok(new) => {
            maintenance::chown_like(&new, path, maintenance::owner_reference(database));
            Ok(new)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::options().write(true).open(path),
        Err(error) => Err(error),
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
