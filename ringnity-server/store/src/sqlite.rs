//! Opening SQLite connections, and reading on them. The one that writes lives in `writer`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use diesel::{
    Connection, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};

use crate::{
    conn::{Conn, Link, panic_words},
    error::StoreError,
    pool::Pool,
    upkeep,
};

/// How long SQLite itself waits for a lock held by another process (a backup tool, a second server by mistake).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Creates the file when there is none.
    Migrate,
    Write,
    Read,
    /// A file that nobody else uses, such as a backup: it is looked at, and stays as it is.
    Look,
}

pub(crate) fn open(path: &Path, purpose: Use) -> Result<Link, StoreError> {
    if purpose == Use::Migrate
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            StoreError::Unavailable(format!("cannot create the folder {}: {error}", folder.display()).into())
        })?;
    }
    if purpose == Use::Migrate {
        database_file(path);
    }
    // A file that vanished under a running server must not come back empty.
    let mode = match purpose {
        Use::Migrate => "rwc",
        Use::Write | Use::Read => "rw",
        Use::Look => "ro",
    };
    let mut conn = SqliteConnection::establish(&uri(path, mode)?)?;
    let timeout = BUSY_TIMEOUT.as_millis();
    conn.batch_execute(&format!("PRAGMA busy_timeout = {timeout}"))?;
    conn.batch_execute(match purpose {
        // The journal mode is a property of the file: set once, before anybody else uses it. Foreign keys are
        // off because a table is changed by making a new one; `migrate` checks them itself.
        Use::Migrate => "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF",
        Use::Write => {
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864"
        }
        Use::Look => "PRAGMA query_only = ON",
        Use::Read => "PRAGMA foreign_keys = ON; PRAGMA query_only = ON",
    })?;
    Ok(Link::new(Conn::Sqlite(conn)))
}

/// Makes the file of a database, if there is none, for this user only: it holds signing keys. SQLite sees to
/// it that its log files take after it, in their owner too. One that is there is the database; where none can be made, SQLite says why.
fn database_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Only a file that is new is ever opened here: closing one that SQLite has open would end its locks.
        let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Ok(new) = new {
            upkeep::give_away(&new, path, upkeep::folder_of(path));
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
pub(crate) fn read<T, E, F>(pool: &Pool, work: &F) -> Result<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    let mut link = pool.take()?;
    let begun = link.sqlite().and_then(|conn| Ok(AnsiTransactionManager::begin_transaction(conn)?));
    if let Err(error) = begun {
        pool.forget_idle();
        return Err(error.into());
    }
    let result = catch_unwind(AssertUnwindSafe(|| work(&mut link.conn)));
    let ended = link.sqlite().and_then(|conn| Ok(AnsiTransactionManager::rollback_transaction(conn)?));
    if ended.is_ok() && result.is_ok() {
        pool.put_back(link);
    }
    result.unwrap_or_else(|panic| Err(StoreError::Panicked(panic_words(&*panic)).into()))
}
