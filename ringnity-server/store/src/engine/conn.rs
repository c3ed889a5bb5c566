//! [`Conn`], the connection of either engine that queries run on, and the recording of failed statements.

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

    /// A connection to either engine, inside a transaction. The store passes it to closures.
    #[derive(diesel::MultiConnection)]
    pub enum Conn {
        Postgres(PgConnection),
        Sqlite(SqliteConnection),
    }
}

/// Evaluates an expression with the engine's own connection type, for what diesel supports on each engine but not on
/// `MultiConnection`: `on_conflict`, multi-row inserts, `for_update().skip_locked()`.
macro_rules! on_engine {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::engine::Conn::Postgres($c) => $body,
            $crate::engine::Conn::Sqlite($c) => $body,
        }
    };
}
pub(crate) use on_engine;

/// Kind of the first failed statement of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A conflict with a concurrent transaction. Retry.
    Serialization,
    /// A unique violation. Retry once: a concurrent transaction may have inserted the row after this one looked for it.
    Unique,
    /// The connection died.
    ConnectionLost,
    /// Any other error. Do not retry.
    Other,
}

/// Records failed statements on a connection, even if the closure maps the error to its own type or ignores it.
#[derive(Clone, Default)]
pub(crate) struct ErrorRecorder(Arc<Mutex<Option<(Failure, String)>>>);

impl ErrorRecorder {
    /// Clears the record at the start of a transaction.
    pub(crate) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The failure since the last reset, with its message.
    pub(crate) fn failure(&self) -> Option<(Failure, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn record(&self, error: &DieselError) {
        let failure = failure_of(error);
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A lost connection replaces earlier failures. Otherwise the first failure causes the rest.
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

/// A connection and the recorder of its failed statements.
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

/// The message of a panic.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The error for a closure that ignored a failed statement and returned `Ok`. PostgreSQL has aborted the transaction by
/// then, and its commit would do nothing. SQLite behaves the same here, so that tests on SQLite find the mistake.
pub(crate) fn aborted_transaction(cause: &str) -> StoreError {
    StoreError::Other(
        format!(
            "the transaction was rolled back because the write went on after a failed statement: {cause}"
        )
        .into(),
    )
}
