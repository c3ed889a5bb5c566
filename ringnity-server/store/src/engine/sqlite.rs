//! Opening SQLite connections, and reads. Writes go through [`writer`](super::writer).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{
    Connection, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::engine::{
    conn::{Conn, InstrumentedConnection, panic_message},
    error::StoreError,
    file_owner,
    pool::Pool,
};

/// How long SQLite waits for a lock that another process holds, such as a backup tool.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// ASCII characters with a meaning in an SQLite URI.
const URI_RESERVED: &AsciiSet = &AsciiSet::EMPTY.add(b'%').add(b'?').add(b'#');

/// What a connection is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// Read and write; creates the file and its folder if they are missing.
    Migrate,
    Write,
    Read,
    /// Read a file that is not in use, such as a backup, without changing it.
    Inspect,
}

pub(crate) fn open(path: &Path, mode: OpenMode) -> Result<InstrumentedConnection, StoreError> {
    if mode == OpenMode::Migrate
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            StoreError::Unavailable(format!("cannot create the folder {}: {error}", folder.display()).into())
        })?;
    }
    if mode == OpenMode::Migrate {
        create_database_file(path);
    }
    // If the file disappears under a running server, do not create an empty one.
    let uri_mode = match mode {
        OpenMode::Migrate => "rwc",
        OpenMode::Write | OpenMode::Read => "rw",
        OpenMode::Inspect => "ro",
    };
    let mut conn = SqliteConnection::establish(&uri(path, uri_mode)?)?;
    let timeout = BUSY_TIMEOUT.as_millis();
    conn.batch_execute(&format!("PRAGMA busy_timeout = {timeout}"))?;
    conn.batch_execute(match mode {
        // The journal mode is a property of the file and set before any other connection uses it. Foreign keys are off
        // because SQLite changes a table by replacing it; `migrate` checks them before the commit.
        OpenMode::Migrate => {
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF"
        }
        OpenMode::Write => {
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864"
        }
        OpenMode::Inspect => "PRAGMA query_only = ON",
        OpenMode::Read => "PRAGMA foreign_keys = ON; PRAGMA query_only = ON",
    })?;
    Ok(InstrumentedConnection::new(Conn::Sqlite(conn)))
}

/// The database file of an open store.
///
/// If the file is replaced, open connections keep using the old file, while new ones open the new file with the WAL of
/// the old: writes are lost and both files are corrupted. So the store checks before each read and write that the path
/// still leads to the same file.
#[derive(Clone, Debug)]
pub(crate) struct OpenedFile {
    path: PathBuf,
    file: FileId,
}

/// Device and inode number.
type FileId = (u64, u64);

impl OpenedFile {
    /// The file that the path leads to now.
    pub(crate) fn new(path: &Path) -> Result<OpenedFile, StoreError> {
        Ok(OpenedFile { path: path.to_owned(), file: file_id(path)? })
    }

    pub(crate) fn open(&self, mode: OpenMode) -> Result<InstrumentedConnection, StoreError> {
        self.ensure_same_inode()?;
        open(&self.path, mode)
    }

    /// Returns [`StoreError::Unavailable`] if the file was removed or replaced.
    pub(crate) fn ensure_same_inode(&self) -> Result<(), StoreError> {
        if file_id(&self.path)? == self.file {
            return Ok(());
        }
        let message = format!(
            "the database file {} was replaced while it was in use: put the original file back, or stop the server and use \
             `ringnity-server restore`",
            self.path.display()
        );
        Err(StoreError::Unavailable(message.into()))
    }
}

fn file_id(path: &Path) -> Result<FileId, StoreError> {
    let found = std::fs::metadata(path).map_err(|error| {
        StoreError::Unavailable(format!("cannot find the database file {}: {error}", path.display()).into())
    })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok((found.dev(), found.ino()))
    }
    // On other systems an open file can be neither moved nor replaced.
    #[cfg(not(unix))]
    Ok((0, u64::from(found.is_file())))
}

/// Creates the database file with mode 0600, because it contains signing keys. SQLite gives its WAL files the same mode
/// and owner. Does nothing if the file exists; if it cannot be created, SQLite reports the error when it opens it.
fn create_database_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Only ever opens a new file: closing a file that SQLite has open would release its locks.
        let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Ok(new) = new {
            file_owner::chown_like(&new, path, file_owner::parent_folder(path));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// The path as an SQLite URI with the given `mode` parameter.
pub(crate) fn uri(path: &Path, mode: &str) -> Result<String, StoreError> {
    let text = path
        .to_str()
        .ok_or_else(|| StoreError::Config(format!("the path {} is not valid UTF-8", path.display())))?;
    Ok(format!("file:{}?mode={mode}", utf8_percent_encode(text, URI_RESERVED)))
}

/// Runs a read on one snapshot, so that a page and its total agree.
pub(crate) fn read<T, E, F>(pool: &Pool, file: &OpenedFile, work: &F) -> Result<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    file.ensure_same_inode()?;
    let mut connection = pool.take()?;
    let began = connection.sqlite().and_then(|conn| Ok(AnsiTransactionManager::begin_transaction(conn)?));
    if let Err(error) = began {
        pool.discard_idle();
        return Err(error.into());
    }
    let result = catch_unwind(AssertUnwindSafe(|| work(&mut connection.conn)));
    let end = connection.sqlite().and_then(|conn| Ok(AnsiTransactionManager::rollback_transaction(conn)?));
    if end.is_ok() && result.is_ok() {
        pool.put_back(connection);
    }
    result.unwrap_or_else(|panic| Err(StoreError::Panicked(panic_message(&*panic)).into()))
}
