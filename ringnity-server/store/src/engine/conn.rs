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
    Serialization,
    /// A unique index refused. Worth one more look at the database, for another transaction may just have
    /// inserted what this one looked for.
    Unique,
    /// The connection is gone.
    ConnectionLost,
    /// The work itself is wrong.
    Other,
}

/// Notes failed statements on a connection. It sees them whatever the closure makes of the error: turns it into
/// its own kind, or swallows it.
#[derive(Clone, Default)]
pub(crate) struct ErrorRecorder(Arc<Mutex<Option<(Failure, String)>>>);

impl ErrorRecorder {
    /// Forgets the past: a transaction begins.
    pub(crate) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The failure seen since the last reset, with its words.
    pub(crate) fn failure(&self) -> Option<(Failure, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn record(&self, error: &DieselError) {
        let failure = failure_of(error);
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A lost connection outranks what came before it; otherwise the first failure is the cause of the rest.
        if first.is_none() || failure == Failure::ConnectionLost {
            *first = Some((failure, error.to_string()));
        }
    }
}

impl Instrumentation for ErrorRecorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::FinishQuery { error: Some(error), .. } = event {
            self.record(error);
        }
    }
}

pub(crate) fn failure_of(error: &DieselError) -> Failure {
    match error {
        DieselError::DatabaseError(kind, info) => match kind {
            DatabaseErrorKind::SerializationFailure => Failure::Serialization,
            DatabaseErrorKind::UniqueViolation => Failure::Unique,
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                Failure::ConnectionLost
            }
            _ if info.message().contains("deadlock detected") => Failure::Serialization,
            _ => Failure::Other,
        },
        DieselError::BrokenTransactionManager => Failure::ConnectionLost,
        DieselError::RollbackErrorOnCommit { commit_error, .. } => failure_of(commit_error),
        _ => Failure::Other,
    }
}

/// A connection with its watch.
pub(crate) struct InstrumentedConnection {
    pub(crate) conn: Conn,
    pub(crate) errors: ErrorRecorder,
}

impl InstrumentedConnection {
    pub(crate) fn new(mut conn: Conn) -> InstrumentedConnection {
        let errors = ErrorRecorder::default();
        conn.set_instrumentation(errors.clone());
        InstrumentedConnection { conn, errors }
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
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// What a closure gets to hear that swallowed the error of a statement and went on: PostgreSQL has given up the
/// transaction by then and would "commit" nothing at all. The same on SQLite, so that tests there find it too.
pub(crate) fn aborted_transaction(cause: &str) -> StoreError {
    StoreError::Other(format!("a statement failed and the write went on, nothing was kept: {cause}").into())
}
