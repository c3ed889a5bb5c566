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
    conn::{Conn, Failure, Link, failure_of, panic_words, went_on_after},
    error::{HOT_STANDBY, StoreError},
    pool::Pool,
};

/// Attempts that run beside other writers, before one that runs alone.
const TOGETHER: u32 = 5;
/// Attempts that run alone. One is enough unless someone writes without asking this store.
const ALONE: u32 = 3;
/// Connections found dead before the database counts as gone.
const LOST: u32 = 2;

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// `LOCK TABLE` takes no snapshot, so the transaction begins when the lock is there. The migrations table serves
/// as the gate because every database has it and nobody else locks it. Without sequential scans, a statement
/// marks only the rows and index pages it reads; a scan of a small table would mark all of it, and collide with
/// every other writer.
const WRITE_TOGETHER: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; \
     LOCK TABLE ONLY __diesel_schema_migrations IN ROW SHARE MODE; SET LOCAL enable_seqscan = off";

/// The same for one who would rather not wait.
const WRITE_SOON: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL lock_timeout = '500ms'; \
     LOCK TABLE ONLY __diesel_schema_migrations IN ROW SHARE MODE; SET LOCAL enable_seqscan = off";

/// Alone, a transaction is serial by itself and needs no watching. It must not be watched either: PostgreSQL also
/// counts writers as overlapping that have just ended, and would find collisions with those.
const WRITE_ALONE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; \
     LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE";

/// libpq waits for ever on a server that is not there; these say how long is long, unless the URL does.
const PATIENCE: &[(&str, &str)] = &[
    ("connect_timeout", "5"),
    ("tcp_user_timeout", "15000"),
    ("keepalives_idle", "30"),
    ("keepalives_interval", "5"),
];

/// How long PostgreSQL bears with a connection of a server. Nothing that a request does takes so long. What matters
/// are transactions of a node that was frozen or cut off: they hold the gate that writers of all nodes go through,
/// and PostgreSQL would notice after two hours.
const LIMITS: &str = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '20s'; \
     SET statement_timeout = '30s'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 5; \
     SET tcp_keepalives_count = 3";

/// A connection for requests.
pub(crate) fn open_limited(url: &str) -> Result<Link, StoreError> {
    let mut link = open(url)?;
    limit(&mut link)?;
    Ok(link)
}

/// From here on it is a connection for requests.
pub(crate) fn limit(link: &mut Link) -> Result<(), StoreError> {
    Ok(link.postgres()?.batch_execute(LIMITS)?)
}

/// A connection for what may take its time: migrations and copies.
pub(crate) fn open(url: &str) -> Result<Link, StoreError> {
    let mut conn = PgConnection::establish(&with_patience(url)).map_err(|error| {
        without_password(url, &error.to_string()).map_or_else(|| error.into(), StoreError::Config)
    })?;
    // Compiling a statement takes longer than running any of ours.
    conn.batch_execute("SET synchronous_commit = on; SET jit = off; SET client_min_messages = warning")?;
    Ok(Link::new(Conn::Postgres(conn)))
}

fn with_patience(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in PATIENCE {
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
    let mut lost = 0;
    loop {
        let mut link = pool.take()?;
        match attempt(&mut link, READ, work) {
            Outcome::Done(result) => {
                pool.put_back(link);
                return result;
            }
            Outcome::Lost(error) => {
                pool.forget_idle();
                lost += 1;
                if lost >= LOST {
                    return Err(error.into());
                }
            }
            Outcome::Refused(error) => return Err(error.into()),
            // A read-only snapshot cannot collide; should PostgreSQL think otherwise, the error is the answer.
            Outcome::Again { last, .. } => {
                pool.put_back(link);
                return Err(last);
            }
        }
    }
}

/// One write: serializable, tried again as long as it collides with others. After [`TOGETHER`] attempts the next
/// holds the gate for itself: it waits until writers under way are done, keeps new ones out, and so has nobody
/// left to collide with. One that is wanted `soon` gives up instead, and waits half a second for any lock.
pub(crate) fn write<T, E, F>(pool: &Pool, work: &F, soon: bool) -> Result<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    let (mut tries, mut lost, mut looked_again) = (0, 0, false);
    let mut link = pool.take()?;
    loop {
        let begin = match (soon, tries < TOGETHER) {
            (true, _) => WRITE_SOON,
            (false, true) => WRITE_TOGETHER,
            (false, false) => WRITE_ALONE,
        };
        match attempt(&mut link, begin, work) {
            Outcome::Done(result) => {
                pool.put_back(link);
                return result;
            }
            Outcome::Lost(error) => {
                drop(link);
                pool.forget_idle();
                lost += 1;
                if lost >= LOST {
                    return Err(error.into());
                }
                link = pool.take()?;
            }
            // The connection is in the middle of a transaction that never began.
            Outcome::Refused(error) => return Err(error.into()),
            Outcome::Again { why, last } => {
                let settled = match why {
                    Failure::Unique => std::mem::replace(&mut looked_again, true),
                    _ if soon => tries + 1 >= TOGETHER,
                    _ => tries + 1 >= TOGETHER + ALONE,
                };
                if settled {
                    pool.put_back(link);
                    return Err(last);
                }
                tries += 1;
                if tries < TOGETHER {
                    std::thread::sleep(pause(tries));
                }
            }
        }
    }
}

enum Outcome<T, E> {
    /// Committed, or rolled back for good.
    Done(Result<T, E>),
    /// Rolled back; another attempt may succeed.
    Again { why: Failure, last: E },
    /// The connection died before anything was committed.
    Lost(StoreError),
    /// The database is there and lets nobody begin: another connection would not be let either.
    Refused(StoreError),
}

fn attempt<T, E, F>(link: &mut Link, begin: &str, work: &F) -> Outcome<T, E>
where
    F: Fn(&mut Conn) -> Result<T, E>,
    E: From<StoreError>,
{
    link.watch.reset();
    let begun =
        link.postgres().and_then(|conn| Ok(AnsiTransactionManager::begin_transaction_sql(conn, begin)?));
    if let Err(error) = begun {
        // Nothing has happened yet, so a new connection is the cure of most illnesses.
        let refused = matches!(error, StoreError::Busy(_)) || error.to_string().contains(HOT_STANDBY);
        return if refused { Outcome::Refused(error) } else { Outcome::Lost(error) };
    }
    let result = match catch_unwind(AssertUnwindSafe(|| work(&mut link.conn))) {
        Ok(result) => result,
        Err(panic) => Err(StoreError::Panicked(panic_words(&*panic)).into()),
    };
    let failure = link.watch.failure();
    let kept = failure.is_none() && result.is_ok();
    let ended = link.postgres().map(|conn| {
        if kept {
            AnsiTransactionManager::commit_transaction(conn)
        } else {
            AnsiTransactionManager::rollback_transaction(conn)
        }
    });
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return Outcome::Done(Err(error.into())),
    };
    match (result, failure, ended) {
        (result, None, Ok(())) => Outcome::Done(result),
        // The commit was refused. A collision may be tried again; a connection lost here leaves open whether the
        // commit took place, so it may not.
        (Ok(_), None, Err(error)) => match failure_of(&error) {
            Failure::Collision => {
                Outcome::Again { why: Failure::Collision, last: StoreError::from(error).into() }
            }
            _ => Outcome::Done(Err(StoreError::from(error).into())),
        },
        (_, Some((Failure::Lost, words)), _) => Outcome::Lost(StoreError::Unavailable(words.into())),
        (result, Some((why @ (Failure::Collision | Failure::Unique), words)), Ok(())) => {
            let last = result.err().unwrap_or_else(|| match why {
                Failure::Collision => StoreError::Busy(words).into(),
                _ => went_on_after(&words).into(),
            });
            Outcome::Again { why, last }
        }
        (Ok(_), Some((_, words)), Ok(())) => Outcome::Done(Err(went_on_after(&words).into())),
        (Err(error), Some(_), Ok(())) => Outcome::Done(Err(error)),
        // The rollback failed: the server drops what the connection held.
        (_, _, Err(error)) => Outcome::Lost(StoreError::from(error)),
    }
}

/// A random pause that grows with the attempts: writers that collided should not meet again at once.
fn pause(tries: u32) -> Duration {
    let longest = 1000_u64 << tries.min(4);
    Duration::from_micros(RandomState::new().build_hasher().finish() % longest)
}
