//! Opening SQLite connections, and reading on them. The one that writes lives in `writer`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{
    Connection, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};

use crate::engine::{
    conn::{Conn, InstrumentedConnection, panic_message},
    error::StoreError,
    file_owner,
    pool::Pool,
};

/// How long SQLite itself waits for a lock held by another process (a backup tool, a second server by mistake).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// Creates the file when there is none.
    Migrate,
    Write,
    Read,
    /// A file that nobody else uses, such as a backup: it is looked at, and stays as it is.
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
    // A file that vanished under a running server must not come back empty.
    let uri_mode = match mode {
        OpenMode::Migrate => "rwc",
        OpenMode::Write | OpenMode::Read => "rw",
        OpenMode::Inspect => "ro",
    };
    let mut conn = SqliteConnection::establish(&uri(path, uri_mode)?)?;
    let timeout = BUSY_TIMEOUT.as_millis();
    conn.batch_execute(&format!("PRAGMA busy_timeout = {timeout}"))?;
    conn.batch_execute(match mode {
        // The journal mode is a property of the file: set once, before anybody else uses it. Foreign keys are
        // off because a table is changed by making a new one; `migrate` checks them itself.
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

/// The file that a store has open, by its path. Who has a file open goes on with it wherever it is moved, and who opens
/// its path gets what stands there now, with a log that belongs to the other: what is written then is lost, and both
/// files are ruined. So nothing is read or written while the path leads elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct OpenedFile {
    path: PathBuf,
    file: FileId,
}

/// Device and number of a file.
type FileId = (u64, u64);

impl OpenedFile {
    /// The file that is there now.
    pub(crate) fn new(path: &Path) -> Result<OpenedFile, StoreError> {
        Ok(OpenedFile { path: path.to_owned(), file: file_id(path)? })
    }

    pub(crate) fn open(&self, mode: OpenMode) -> Result<InstrumentedConnection, StoreError> {
        self.ensure_same_inode()?;
        open(&self.path, mode)
    }

    pub(crate) fn ensure_same_inode(&self) -> Result<(), StoreError> {
        if file_id(&self.path)? == self.file {
            return Ok(());
        }
        let message = format!(
            "another file was put in the place of {} while it was in use: put back the one that was there, or stop the \
             server and use `ringnity-server restore`",
            self.path.display()
        );
        Err(StoreError::Unavailable(message.into()))
    }
}

fn file_id(path: &Path) -> Result<FileId, StoreError> {
    let found = std::fs::metadata(path).map_err(|error| {
        StoreError::Unavailable(format!("the database {} cannot be found: {error}", path.display()).into())
    })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok((found.dev(), found.ino()))
    }
    // Elsewhere a file that is open can be neither moved nor replaced.
    #[cfg(not(unix))]
    Ok((0, u64::from(found.is_file())))
}

/// Makes the file of a database, if there is none, for this user only: it holds signing keys. SQLite sees to
/// it that its log files take after it, in their owner too. One that is there is the database; where none can be made, SQLite says why.
fn create_database_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Only a file that is new is ever opened here: closing one that SQLite has open would end its locks.
        let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Ok(new) = new {
            file_owner::chown_like(&new, path, file_owner::parent_folder(path));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// The path in SQLite's URI form, to be opened in that mode.
pub(crate) fn uri(path: &Path, mode: &str) -> Result<String, StoreError> {
    let text = path
        .to_str()
        .ok_or_else(|| StoreError::Config(format!("the path {} is not valid UTF-8", path.display())))?;
    let mut uri = String::from("file:");
    for character in text.chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    Ok(uri + "?mode=" + mode)
}

/// One read: a snapshot, so that a page and its total agree.
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
