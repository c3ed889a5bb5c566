//! SQLite's one writer: a thread with the only connection that writes, and group commit.
//!
//! It takes what is queued, runs each piece of work in a savepoint of its own inside one `BEGIN IMMEDIATE`,
//! commits once, and only then answers them all: the disk is waited for once per group instead of once per
//! write. Where the group cannot be committed as a whole, each piece is run again by itself, so that one that
//! spoils the transaction (a full disk in the middle, a deferred constraint) harms only itself.

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

/// Writes that may wait in the queue before callers wait in front of it.
const QUEUE_CAPACITY: usize = 1024;

const BEGIN: &str = "BEGIN IMMEDIATE";

enum Command {
    Write(Box<dyn QueuedWrite>),
    Stop,
}

/// A piece of work with its caller, whatever their types.
trait QueuedWrite: Send {
    /// Does the work (again) and keeps the result; says whether its changes are to be kept.
    fn run(&mut self, connection: &mut InstrumentedConnection) -> bool;
    /// Tells the caller: the result if the transaction ended well, else why it did not.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

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
            (Ok(()), None) => Err(StoreError::Other("a write was answered before it ran".into()).into()),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that has gone away needs no answer; what it asked for is done all the same.
        let _ = self.caller.send(answer);
    }
}

/// The queue in front of the writing thread.
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

    /// Writes in the queue.
    pub(crate) fn waiting(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// Works off what is queued, takes no more, and closes the connection.
    pub(crate) async fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // An error means that the thread has ended already.
        let _ = self.commands.send(Command::Stop).await;
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// What the writing thread works with.
struct WriterThread {
    file: OpenedFile,
    connection: Option<InstrumentedConnection>,
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

    /// Runs and answers one group. Breaks when told to stop in the middle of it.
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
                tracing::warn!(%error, writes = writes.len(), "a group of writes failed, each is tried by itself");
                writes.into_iter().for_each(|write| self.run_single(write));
            }
        }
        flow
    }

    /// Runs and answers one write in a transaction of its own.
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
            // Nothing was kept, as the work itself wanted; SQLite had only been faster to roll back.
            Err(_) if !keep => write.finish(Ok(())),
            Err(error) => write.finish(Err(error)),
        }
    }

    /// The connection, in a transaction that may write. Opened anew if the last one was given up.
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

/// An error means that the transaction around it cannot be trusted any more; what the job made of its own work
/// it keeps to itself.
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
