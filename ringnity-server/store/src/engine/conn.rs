//! The connection that queries run on, whichever engine is behind it, and the watch kept over its statements.
//! No queries here.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::{
    Connection, PgConnection, SqliteConnection,
    connection::{Instrumentation, InstrumentationEvent},
    result::{DatabaseErrorKind, Error as DieselError},
};

use crate::engine::error::StoreError;

pub use self::multi::Conn;
pub(crate) use self::multi::MultiBackend;

// The derive makes public items without documentation and glob-imports what is beside it.
mod multi {
    #![allow(missing_docs, unreachable_pub)]

    use diesel::{PgConnection, SqliteConnection};

    /// A connection to either engine, inside a transaction. Made by the store, handed to closures.
    #[derive(diesel::MultiConnection)]
    pub enum Conn {
        Postgres(PgConnection),
        Sqlite(SqliteConnection),
    }
}

/// Runs one expression on the connection of the engine at hand, for what diesel offers on each engine but not on
/// both together: `on_conflict`, multi-row inserts, `for_update().skip_locked()`.
macro_rules! on_engine {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::engine::Conn::Postgres($c) => $body,
            $crate::engine::Conn::Sqlite($c) => $body,
        }
    };
}
pub(crate) use on_engine;

/// What the first failed statement of a transaction means for the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is wrong with the work; another transaction came in between. Run it again.
    Collision,
    /// A unique index refused. Worth one more look at the database, for another transaction may just have
    /// inserted what this one looked for.
    Unique,
    /// The connection is gone.
    Lost,
    /// The work itself is wrong.
    Fault,
}

/// Notes failed statements on a connection. It sees them whatever the closure makes of the error: turns it into
/// its own kind, or swallows it.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Option<(Failure, String)>>>);

impl Watch {
    /// Forgets the past: a transaction begins.
    pub(crate) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The failure seen since the last reset, with its words.
    pub(crate) fn failure(&self) -> Option<(Failure, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note(&self, error: &DieselError) {
        let failure = failure_of(error);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A lost connection outranks what came before it; otherwise the first failure is the cause of the rest.
        if seen.is_none() || failure == Failure::Lost {
            *seen = Some((failure, error.to_string()));
        }
    }
}

impl Instrumentation for Watch {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::FinishQuery { error: Some(error), .. } = event {
            self.note(error);
        }
    }
}

pub(crate) fn failure_of(error: &DieselError) -> Failure {
    match error {
        DieselError::DatabaseError(kind, info) => match kind {
            DatabaseErrorKind::SerializationFailure => Failure::Collision,
            DatabaseErrorKind::UniqueViolation => Failure::Unique,
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Failure::Lost,
            _ if info.message().contains("deadlock detected") => Failure::Collision,
            _ => Failure::Fault,
        },
        DieselError::BrokenTransactionManager => Failure::Lost,
        DieselError::RollbackErrorOnCommit { commit_error, .. } => failure_of(commit_error),
        _ => Failure::Fault,
    }
}

/// A connection with its watch.
pub(crate) struct Link {
    pub(crate) conn: Conn,
    pub(crate) watch: Watch,
}

impl Link {
    pub(crate) fn new(mut conn: Conn) -> Link {
        let watch = Watch::default();
        conn.set_instrumentation(watch.clone());
        Link { conn, watch }
    }

    pub(crate) fn postgres(&mut self) -> Result<&mut PgConnection, StoreError> {
        match &mut self.conn {
            Conn::Postgres(conn) => Ok(conn),
            Conn::Sqlite(_) => Err(StoreError::Other("expected a PostgreSQL connection".into())),
        }
    }

    pub(crate) fn sqlite(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => Ok(conn),
            Conn::Postgres(_) => Err(StoreError::Other("expected an SQLite connection".into())),
        }
    }
}

/// The words of a panic.
pub(crate) fn panic_words(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// What a closure gets to hear that swallowed the error of a statement and went on: PostgreSQL has given up the
/// transaction by then and would "commit" nothing at all. The same on SQLite, so that tests there find it too.
pub(crate) fn went_on_after(words: &str) -> StoreError {
    StoreError::Other(format!("a statement failed and the write went on, nothing was kept: {words}").into())
}
