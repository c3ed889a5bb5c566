//! Opening PostgreSQL connections, reading, and writing with retries.
//!
//! Why serializable: a rule reads, decides and writes ("at most ten domains", "this token was not used yet").
//! On SQLite writes run one after the other and such a rule holds by itself. Repeatable read would keep it only
//! where two writers meet on one row; serializable keeps it everywhere, so that what is right (and tested) on one
//! engine is right on the other. Its price is collisions, and they never reach a caller: see [`write`].

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

/// Attempts that run beside other writers, before one that runs alone.
const MAX_CONCURRENT_ATTEMPTS: u32 = 5;
/// Attempts that run alone. One is enough unless someone writes without asking this store.
const MAX_EXCLUSIVE_ATTEMPTS: u32 = 3;
/// Connections found dead before the database counts as gone.
const MAX_DEAD_CONNECTIONS: u32 = 2;

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// `LOCK TABLE` takes no snapshot, so the transaction begins when the lock is there. The migrations table serves
/// as the gate because every database has it and nobody else locks it. Without sequential scans, a statement
/// marks only the rows and index pages it reads; a scan of a small table would mark all of it, and collide with
/// every other writer.
const BEGIN_CONCURRENT_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; \
     LOCK TABLE ONLY __diesel_schema_migrations IN ROW SHARE MODE; SET LOCAL enable_seqscan = off";

/// The same for one who would rather not wait.
const BEGIN_TRY_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL lock_timeout = '500ms'; \
     LOCK TABLE ONLY __diesel_schema_migrations IN ROW SHARE MODE; SET LOCAL enable_seqscan = off";

/// Alone, a transaction is serial by itself and needs no watching. It must not be watched either: PostgreSQL also
/// counts writers as overlapping that have just ended, and would find collisions with those.
const BEGIN_EXCLUSIVE_WRITE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; \
     LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE";

/// libpq waits for ever on a server that is not there; these say how long is long, unless the URL does.
const DEFAULT_TIMEOUTS: &[(&str, &str)] = &[
    ("connect_timeout", "5"),
    ("tcp_user_timeout", "15000"),
    ("keepalives_idle", "30"),
    ("keepalives_interval", "5"),
];

/// How long PostgreSQL bears with a connection of a server. Nothing that a request does takes so long. What matters
/// are transactions of a node that was frozen or cut off: they hold the gate that writers of all nodes go through,
/// and PostgreSQL would notice after two hours.
const SESSION_LIMITS: &str = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '20s'; \
     SET statement_timeout = '30s'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 5; \
     SET tcp_keepalives_count = 3";

/// A connection for requests.
pub(crate) fn open_for_requests(url: &str) -> Result<InstrumentedConnection, StoreError> {
    let mut connection = open(url)?;
    apply_session_limits(&mut connection)?;
    Ok(connection)
}

/// From here on it is a connection for requests.
pub(crate) fn apply_session_limits(connection: &mut InstrumentedConnection) -> Result<(), StoreError> {
    Ok(connection.postgres()?.batch_execute(SESSION_LIMITS)?)
}

/// A connection for what may take its time: migrations and copies.
pub(crate) fn open(url: &str) -> Result<InstrumentedConnection, StoreError> {
    let mut conn = PgConnection::establish(&with_default_timeouts(url)).map_err(|error| {
        without_password(url, &error.to_string()).map_or_else(|| error.into(), StoreError::Config)
    })?;
    // Compiling a statement takes longer than running any of ours.
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

/// One read: a snapshot, so that a page and its total agree. A connection that dies under it is replaced once.
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
            // A read-only snapshot cannot collide; should PostgreSQL think otherwise, the error is the answer.
            Outcome::Retry { last, .. } => {
                pool.put_back(connection);
                return Err(last);
            }
        }
    }
}

/// One write: serializable, tried again as long as it collides with others. After [`TOGETHER`] attempts the next
/// holds the gate for itself: it waits until writers under way are done, keeps new ones out, and so has nobody
/// left to collide with. One that is wanted `soon` gives up instead, and waits half a second for any lock.
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
            // The connection is in the middle of a transaction that never began.
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
                    std::thread::sleep(pause(attempts));
                }
            }
        }
    }
}

enum Outcome<T, E> {
    /// Committed, or rolled back for good.
    Done(Result<T, E>),
    /// Rolled back; another attempt may succeed.
    Retry { reason: Failure, last: E },
    /// The connection died before anything was committed.
    ConnectionLost(StoreError),
    /// The database is there and lets nobody begin: another connection would not be let either.
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
        // Nothing has happened yet, so a new connection is the cure of most illnesses.
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
        // The commit was refused. A collision may be tried again; a connection lost here leaves open whether the
        // commit took place, so it may not.
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
        // The rollback failed: the server drops what the connection held.
        (_, _, Err(error)) => Outcome::ConnectionLost(StoreError::from(error)),
    }
}

/// A random pause that grows with the attempts: writers that collided should not meet again at once.
fn pause(attempts: u32) -> Duration {
    let longest = 1000_u64 << attempts.min(4);
    Duration::from_micros(RandomState::new().build_hasher().finish() % longest)
}
