//! SQLite's writer: one thread with the only connection that writes, and group commit.
//!
//! The thread takes the queued writes, runs each in its own savepoint inside one `BEGIN IMMEDIATE`, commits once, and
//! only then replies to all callers. The disk is synced once per group instead of once per write. If the group cannot
//! be committed, each write runs again in its own transaction, so that a write that breaks the transaction (a full disk
//! halfway, a deferred constraint) fails alone.

use std::{
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
    time::Duration,
};

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use tokio::sync::{
    mpsc::{self, error::SendTimeoutError},
    oneshot,
};

use crate::engine::{
    conn::{Conn, InstrumentedConnection, aborted_transaction, panic_message},
    error::StoreError,
    sqlite::{OpenMode, OpenedFile},
};

/// Writes in the queue. When it is full, callers wait for a slot.
const QUEUE_CAPACITY: usize = 1024;

const BEGIN: &str = "BEGIN IMMEDIATE";

enum Command {
    Write(Box<dyn QueuedWrite>),
    Stop,
}

/// A [`WriteRequest`] with its types erased.
trait QueuedWrite: Send {
    /// Runs the closure and stores its result. Returns whether to keep its changes. May be called again.
    fn run(&mut self, connection: &mut InstrumentedConnection) -> bool;
    /// Replies to the caller: with the stored result, or with the error that ended the transaction.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A closure and the caller that waits for its result.
struct WriteRequest<T, E, F> {
    work: F,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> QueuedWrite for WriteRequest<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: Fn(&mut Conn) -> Result<T, E> + Send,
{
    fn run(&mut self, connection: &mut InstrumentedConnection) -> bool {
        connection.errors.reset();
        let mut result = match catch_unwind(AssertUnwindSafe(|| (self.work)(&mut connection.conn))) {
            Ok(result) => result,
            Err(panic) => Err(StoreError::Panicked(panic_message(&*panic)).into()),
        };
        if result.is_ok()
            && let Some((_, message)) = connection.errors.failure()
        {
            result = Err(aborted_transaction(&message).into());
        }
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let answer = match (outcome, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Other("a write was completed before it ran".into()).into()),
            (Err(error), _) => Err(error.into()),
        };
        // The caller may have stopped waiting. Its write stands.
        let _ = self.caller.send(answer);
    }
}

/// The sending side of the queue.
pub(crate) struct Writer {
    commands: mpsc::Sender<Command>,
    acquire_timeout: Duration,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(
        file: OpenedFile,
        group_limit: usize,
        acquire_timeout: Duration,
    ) -> Result<Writer, StoreError> {
        let connection = file.open(OpenMode::Write)?;
        let (commands, queue) = mpsc::channel(QUEUE_CAPACITY);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                WriterThread { file, connection: Some(connection), limit: group_limit.max(1) }.run(queue)
            })
            .map_err(|error| StoreError::Other(Box::new(error)))?;
        Ok(Writer { commands, acquire_timeout, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let command = Command::Write(Box::new(WriteRequest { work, result: None, caller }));
        match self.commands.send_timeout(command, self.acquire_timeout).await {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(StoreError::Busy(format!(
                    "the write queue was full for {:?}",
                    self.acquire_timeout
                ))
                .into());
            }
            Err(SendTimeoutError::Closed(_)) => return Err(StoreError::closed().into()),
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::closed().into()))
    }

    /// Number of queued writes.
    pub(crate) fn waiting(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// Completes queued writes, refuses new ones, and closes the connection.
    pub(crate) async fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // An error means that the thread has already stopped.
        let _ = self.commands.send(Command::Stop).await;
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// State of the writer thread.
struct WriterThread {
    file: OpenedFile,
    connection: Option<InstrumentedConnection>,
    /// Writes in one commit, at most.
    limit: usize,
}

impl WriterThread {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.blocking_recv() {
            match command {
                Command::Write(first) => {
                    if self.run_group(first, &mut queue).is_break() {
                        queue.close();
                    }
                }
                Command::Stop => queue.close(),
            }
        }
    }

    /// Runs one group of writes and replies to their callers. Breaks if it received [`Command::Stop`].
    fn run_group(
        &mut self,
        first: Box<dyn QueuedWrite>,
        queue: &mut mpsc::Receiver<Command>,
    ) -> ControlFlow<()> {
        let mut connection = match self.begin() {
            Ok(connection) => connection,
            Err(error) => {
                first.finish(Err(error));
                return ControlFlow::Continue(());
            }
        };
        let mut flow = ControlFlow::Continue(());
        let mut writes = vec![first];
        let mut result = run_in_savepoint(&mut connection, &mut writes[0]);
        while result.is_ok() && writes.len() < self.limit {
            match queue.try_recv() {
                Ok(Command::Write(mut write)) => {
                    result = run_in_savepoint(&mut connection, &mut write);
                    writes.push(write);
                }
                Ok(Command::Stop) => {
                    flow = ControlFlow::Break(());
                    break;
                }
                Err(_) => break,
            }
        }
        let outcome = result.and_then(|()| {
            connection.sqlite().and_then(|c| Ok(AnsiTransactionManager::commit_transaction(c)?))
        });
        match outcome {
            Ok(()) => {
                self.connection = Some(connection);
                writes.into_iter().for_each(|write| write.finish(Ok(())));
            }
            Err(error) => {
                // Closing the connection rolls back whatever is left of the transaction.
                drop(connection);
                tracing::warn!(%error, writes = writes.len(), "a group of writes failed, running each in its own transaction");
                writes.into_iter().for_each(|write| self.run_single(write));
            }
        }
        flow
    }

    /// Runs one write in its own transaction and replies to its caller.
    fn run_single(&mut self, mut write: Box<dyn QueuedWrite>) {
        let mut connection = match self.begin() {
            Ok(connection) => connection,
            Err(error) => return write.finish(Err(error)),
        };
        let keep = write.run(&mut connection);
        let outcome = connection.sqlite().and_then(|conn| {
            if keep {
                AnsiTransactionManager::commit_transaction(conn)?;
            } else {
                AnsiTransactionManager::rollback_transaction(conn)?;
            }
            Ok(())
        });
        match outcome {
            Ok(()) => {
                self.connection = Some(connection);
                write.finish(Ok(()));
            }
            // The closure failed, and SQLite had already rolled back.
            Err(_) if !keep => write.finish(Ok(())),
            Err(error) => write.finish(Err(error)),
        }
    }

    /// Begins a write transaction. Opens a new connection if the last one was dropped after an error.
    fn begin(&mut self) -> Result<InstrumentedConnection, StoreError> {
        self.file.ensure_same_inode()?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.file.open(OpenMode::Write)?,
        };
        AnsiTransactionManager::begin_transaction_sql(connection.sqlite()?, BEGIN)?;
        Ok(connection)
    }
}

/// Runs a write in a savepoint. An error means that the enclosing transaction is broken; the result of the closure
/// itself is stored in the write.
fn run_in_savepoint(
    connection: &mut InstrumentedConnection,
    write: &mut Box<dyn QueuedWrite>,
) -> Result<(), StoreError> {
    AnsiTransactionManager::begin_transaction(connection.sqlite()?)?;
    let keep = write.run(connection);
    let conn = connection.sqlite()?;
    if keep {
        AnsiTransactionManager::commit_transaction(conn)?;
    } else {
        AnsiTransactionManager::rollback_transaction(conn)?;
    }
    Ok(())
}
