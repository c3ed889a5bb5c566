//! Whose an SQLite file is: it belongs to one server, or to a command that needs it for itself. Nothing else is here.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use ringnity_store::maintenance;

/// An SQLite file taken for this process, until this is dropped.
#[derive(Debug)]
pub(crate) struct DatabaseLock {
    _file: File,
}

/// Why a file cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// A server has it, or another command that needs it for itself.
    #[error("a server uses the database {0}, or a command that needs it for itself; stop it first")]
    Held(String),
    /// The file that says so cannot be written.
    #[error("cannot write to {0}: {1}")]
    Unwritable(String, io::Error),
}

/// Takes the database at that path. The lock is on a file beside it, since SQLite has locks of its own on the
/// database, and lets go of them when anybody in the process closes it.
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
        // Some network folders have no locks. SQLite does not like them either, but that is its to say.
        Err(TryLockError::Error(error)) => tracing::warn!("cannot lock {}: {error}", path.display()),
    }
    Ok(DatabaseLock { _file: file })
}

/// Whether somebody has the database at that path. Makes no file.
pub(crate) fn is_held(database: &Path) -> bool {
    File::open(lock_path(database))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens the lock of that database. What is there may be anything: only a new file is given to anybody.
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
