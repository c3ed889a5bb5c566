//! Opening PostgreSQL connections, reads, and writes with retries.
//!
//! Writes are serializable because rules read, decide and write ("at most ten domains", "this token was not used
//! yet"). On SQLite writes run one after the other, so such a rule holds. Repeatable read would keep it only if two
//! writers touch the same row. Serializable keeps it always, so that what is correct and tested on one engine is
//! correct on the other. The price is serialization failures, which callers do not see: [`write`] retries.
//!
//! The writer lock is a table lock on the migrations table, because every database has that table and nothing else
//! locks it. Concurrent writers share it. A write that keeps failing takes it exclusively, as a migration does.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use diesel::{
    Connection, PgConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};

use crate::engine::{
    config::without_password,
    conn::{Conn, Failure, InstrumentedConnection, aborted_transaction, failure_of, panic_message},
    error::{HOT_STANDBY, StoreError},
    pool::Pool,
};

/// Attempts with the shared writer lock, before the exclusive one is taken.
const MAX_CONCURRENT_ATTEMPTS: u32 = 5;
/// Attempts with the exclusive writer lock. One is enough unless other programs write to the database.
const MAX_EXCLUSIVE_ATTEMPTS: u32 = 3;
/// Dead connections in one call before the database is reported as unavailable.
const MAX_DEAD_CONNECTIONS: u32 = 2;

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Takes the writer lock in shared mode. `LOCK TABLE` takes no snapshot, so the snapshot is taken after the wait.
/// Sequential scans are off because a scan takes a predicate lock on the whole table, which conflicts with every other
/// writer of it; an index scan locks only the rows and index pages it reads.
const BEGIN_CONCURRENT_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; \
     LOCK TABLE ONLY __diesel_schema_migrations IN ROW SHARE MODE; SET LOCAL enable_seqscan = off";

/// The same, waiting for any lock for at most half a second.
const BEGIN_TRY_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL lock_timeout = '500ms'; \
     LOCK TABLE ONLY __diesel_schema_migrations IN ROW SHARE MODE; SET LOCAL enable_seqscan = off";

/// Takes the writer lock exclusively. With no concurrent writer, repeatable read is serial. Serializable would still
/// find conflicts with writers that have just committed.
const BEGIN_EXCLUSIVE_WRITE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; \
     LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE";

/// Connection timeouts unless the URL sets them. libpq waits forever by default.
const DEFAULT_TIMEOUTS: &[(&str, &str)] = &[
    ("connect_timeout", "5"),
    ("tcp_user_timeout", "15000"),
    ("keepalives_idle", "30"),
    ("keepalives_interval", "5"),
];

/// Limits for connections that serve requests; no request takes as long. They end transactions of a node that hangs or
/// was disconnected. Such a transaction holds the writer lock, and PostgreSQL would notice only after two hours.
const SESSION_LIMITS: &str = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '20s'; \
     SET statement_timeout = '30s'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 5; \
     SET tcp_keepalives_count = 3";

/// Opens a connection for requests.
pub(crate) fn open_for_requests(url: &str) -> Result<InstrumentedConnection, StoreError> {
    let mut connection = open(url)?;
    apply_session_limits(&mut connection)?;
    Ok(connection)
}

/// Turns a connection into one for requests.
pub(crate) fn apply_session_limits(connection: &mut InstrumentedConnection) -> Result<(), StoreError> {
    Ok(connection.postgres()?.batch_execute(SESSION_LIMITS)?)
}

/// Opens a connection without time limits, for migrations and backups.
pub(crate) fn open(url: &str) -> Result<InstrumentedConnection, StoreError> {
    let mut conn = PgConnection::establish(&with_default_timeouts(url)).map_err(|error| {
        without_password(url, &error.to_string()).map_or_else(|| error.into(), StoreError::Config)
    })?;
    // JIT compilation takes longer than running any of our statements.
    conn.batch_execute("SET synchronous_commit = on; SET jit = off; SET client_min_messages = warning")?;
    Ok(InstrumentedConnection::new(Conn::Postgres(conn)))
}

fn with_default_timeouts(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in DEFAULT_TIMEOUTS {
        if !url.contains(&format!("{name}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{name}={value}"));
        }
    }
    url
}

/// Runs a read on one snapshot, so that a page and its total agree. Replaces a dead connection once.
pub(crate) fn read<T, E, F>(pool: &Pool, work: &F) -> Result<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    let mut dead_connections = 0;
    loop {
        let mut connection = pool.take()?;
        match attempt(&mut connection, BEGIN_READ, work) {
            Outcome::Done(result) => {
                pool.put_back(connection);
                return result;
            }
            Outcome::ConnectionLost(error) => {
                pool.discard_idle();
                dead_connections += 1;
                if dead_connections >= MAX_DEAD_CONNECTIONS {
                    return Err(error.into());
                }
            }
            Outcome::BeginRefused(error) => return Err(error.into()),
            // Does not happen to a read-only snapshot. If it does, return the error.
            Outcome::Retry { last, .. } => {
                pool.put_back(connection);
                return Err(last);
            }
        }
    }
}

/// Runs a serializable write and retries it on serialization failures. After [`MAX_CONCURRENT_ATTEMPTS`] it takes the
/// writer lock exclusively: it waits for running writers, blocks new ones, and so has no conflicts left. With
/// `give_up_early` it returns the error instead, and waits for any lock for at most half a second.
pub(crate) fn write<T, E, F>(pool: &Pool, work: &F, give_up_early: bool) -> Result<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    let (mut attempts, mut dead_connections, mut retried_unique) = (0, 0, false);
    let mut connection = pool.take()?;
    loop {
        let begin = match (give_up_early, attempts < MAX_CONCURRENT_ATTEMPTS) {
            (true, _) => BEGIN_TRY_WRITE,
            (false, true) => BEGIN_CONCURRENT_WRITE,
            (false, false) => BEGIN_EXCLUSIVE_WRITE,
        };
        match attempt(&mut connection, begin, work) {
            Outcome::Done(result) => {
                pool.put_back(connection);
                return result;
            }
            Outcome::ConnectionLost(error) => {
                drop(connection);
                pool.discard_idle();
                dead_connections += 1;
                if dead_connections >= MAX_DEAD_CONNECTIONS {
                    return Err(error.into());
                }
                connection = pool.take()?;
            }
            // Drops the connection: its `BEGIN` may have been executed in part.
            Outcome::BeginRefused(error) => return Err(error.into()),
            Outcome::Retry { reason, last } => {
                let give_up = match reason {
                    Failure::Unique => std::mem::replace(&mut retried_unique, true),
                    _ if give_up_early => attempts + 1 >= MAX_CONCURRENT_ATTEMPTS,
                    _ => attempts + 1 >= MAX_CONCURRENT_ATTEMPTS + MAX_EXCLUSIVE_ATTEMPTS,
                };
                if give_up {
                    pool.put_back(connection);
                    return Err(last);
                }
                attempts += 1;
                if attempts < MAX_CONCURRENT_ATTEMPTS {
                    std::thread::sleep(backoff(attempts));
                }
            }
        }
    }
}

enum Outcome<T, E> {
    /// Committed, or rolled back with an error that a retry does not change.
    Done(Result<T, E>),
    /// Rolled back. Another attempt may succeed.
    Retry { reason: Failure, last: E },
    /// The connection died before anything was committed.
    ConnectionLost(StoreError),
    /// The database refused `BEGIN`. It would refuse other connections too.
    BeginRefused(StoreError),
}

fn attempt<T, E, F>(connection: &mut InstrumentedConnection, begin: &str, work: &F) -> Outcome<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    connection.errors.reset();
    let began = connection
        .postgres()
        .and_then(|conn| Ok(AnsiTransactionManager::begin_transaction_sql(conn, begin)?));
    if let Err(error) = began {
        // Nothing was executed yet, so it is safe to try another connection.
        let refused = matches!(error, StoreError::Busy(_)) || error.to_string().contains(HOT_STANDBY);
        return if refused { Outcome::BeginRefused(error) } else { Outcome::ConnectionLost(error) };
    }
    let result = match catch_unwind(AssertUnwindSafe(|| work(&mut connection.conn))) {
        Ok(result) => result,
        Err(panic) => Err(StoreError::Panicked(panic_message(&*panic)).into()),
    };
    let failure = connection.errors.failure();
    let commit = failure.is_none() && result.is_ok();
    let end = connection.postgres().map(|conn| {
        if commit {
            AnsiTransactionManager::commit_transaction(conn)
        } else {
            AnsiTransactionManager::rollback_transaction(conn)
        }
    });
    let end = match end {
        Ok(end) => end,
        Err(error) => return Outcome::Done(Err(error.into())),
    };
    match (result, failure, end) {
        (result, None, Ok(())) => Outcome::Done(result),
        // The commit failed. A serialization failure can be retried. After a lost connection it is unknown whether the
        // commit took place, so that is not retried.
        (Ok(_), None, Err(error)) => match failure_of(&error) {
            Failure::Serialization => {
                Outcome::Retry { reason: Failure::Serialization, last: StoreError::from(error).into() }
            }
            _ => Outcome::Done(Err(StoreError::from(error).into())),
        },
        (_, Some((Failure::ConnectionLost, message)), _) => {
            Outcome::ConnectionLost(StoreError::Unavailable(message.into()))
        }
        (result, Some((reason @ (Failure::Serialization | Failure::Unique), message)), Ok(())) => {
            let last = result.err().unwrap_or_else(|| match reason {
                Failure::Serialization => StoreError::Busy(message).into(),
                _ => aborted_transaction(&message).into(),
            });
            Outcome::Retry { reason, last }
        }
        (Ok(_), Some((_, message)), Ok(())) => Outcome::Done(Err(aborted_transaction(&message).into())),
        (Err(error), Some(_), Ok(())) => Outcome::Done(Err(error)),
        // The rollback failed: the server rolls back when the connection closes.
        (_, _, Err(error)) => Outcome::ConnectionLost(StoreError::from(error)),
    }
}

/// Exponential backoff with full jitter, up to 16 ms.
fn backoff(attempts: u32) -> Duration {
    let longest = 1000_u64 << attempts.min(4);
    Duration::from_micros(RandomState::new().build_hasher().finish() % longest)
}
