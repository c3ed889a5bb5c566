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
    conn::{Conn, Link, panic_words, went_on_after},
    error::StoreError,
    sqlite::{InUse, Use},
};

/// Writes that may wait in the queue before callers wait in front of it.
const QUEUE: usize = 1024;

const BEGIN: &str = "BEGIN IMMEDIATE";

enum Order {
    Write(Box<dyn Job>),
    Stop,
}

/// A piece of work with its caller, whatever their types.
trait Job: Send {
    /// Does the work (again) and keeps the result; says whether its changes are to be kept.
    fn run(&mut self, link: &mut Link) -> bool;
    /// Tells the caller: the result if the transaction ended well, else why it did not.
    fn answer(self: Box<Self>, end: Result<(), StoreError>);
}

struct Work<T, E, F> {
    work: F,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Work<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: Fn(&mut Conn) -> Result<T, E> + Send,
{
    fn run(&mut self, link: &mut Link) -> bool {
        link.watch.reset();
        let mut result = match catch_unwind(AssertUnwindSafe(|| (self.work)(&mut link.conn))) {
            Ok(result) => result,
            Err(panic) => Err(StoreError::Panicked(panic_words(&*panic)).into()),
        };
        if result.is_ok()
            && let Some((_, words)) = link.watch.failure()
        {
            result = Err(went_on_after(&words).into());
        }
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, end: Result<(), StoreError>) {
        let answer = match (end, self.result) {
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
    orders: mpsc::Sender<Order>,
    patience: Duration,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(file: InUse, group_limit: usize, patience: Duration) -> Result<Writer, StoreError> {
        let link = file.open(Use::Write)?;
        let (orders, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || Hand { file, link: Some(link), limit: group_limit.max(1) }.work_off(queue))
            .map_err(|error| StoreError::Other(Box::new(error)))?;
        Ok(Writer { orders, patience, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let order = Order::Write(Box::new(Work { work, result: None, caller }));
        match self.orders.send_timeout(order, self.patience).await {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(
                    StoreError::Busy(format!("the write queue was full for {:?}", self.patience)).into()
                );
            }
            Err(SendTimeoutError::Closed(_)) => return Err(StoreError::stopped().into()),
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::stopped().into()))
    }

    /// Writes in the queue.
    pub(crate) fn waiting(&self) -> usize {
        self.orders.max_capacity() - self.orders.capacity()
    }

    /// Works off what is queued, takes no more, and closes the connection.
    pub(crate) async fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // An error means that the thread has ended already.
        let _ = self.orders.send(Order::Stop).await;
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// What the writing thread works with.
struct Hand {
    file: InUse,
    link: Option<Link>,
    limit: usize,
}

impl Hand {
    fn work_off(mut self, mut queue: mpsc::Receiver<Order>) {
        while let Some(order) = queue.blocking_recv() {
            match order {
                Order::Write(first) => {
                    if self.group(first, &mut queue).is_break() {
                        queue.close();
                    }
                }
                Order::Stop => queue.close(),
            }
        }
    }

    /// Runs and answers one group. Breaks when told to stop in the middle of it.
    fn group(&mut self, first: Box<dyn Job>, queue: &mut mpsc::Receiver<Order>) -> ControlFlow<()> {
        let mut link = match self.begin() {
            Ok(link) => link,
            Err(error) => {
                first.answer(Err(error));
                return ControlFlow::Continue(());
            }
        };
        let mut flow = ControlFlow::Continue(());
        let mut jobs = vec![first];
        let mut sound = run_in_savepoint(&mut link, &mut jobs[0]);
        while sound.is_ok() && jobs.len() < self.limit {
            match queue.try_recv() {
                Ok(Order::Write(mut job)) => {
                    sound = run_in_savepoint(&mut link, &mut job);
                    jobs.push(job);
                }
                Ok(Order::Stop) => {
                    flow = ControlFlow::Break(());
                    break;
                }
                Err(_) => break,
            }
        }
        let end = sound
            .and_then(|()| link.sqlite().and_then(|c| Ok(AnsiTransactionManager::commit_transaction(c)?)));
        match end {
            Ok(()) => {
                self.link = Some(link);
                jobs.into_iter().for_each(|job| job.answer(Ok(())));
            }
            Err(error) => {
                // Closing the connection rolls back whatever is left of the transaction.
                drop(link);
                tracing::warn!(%error, writes = jobs.len(), "a group of writes failed, each is tried by itself");
                jobs.into_iter().for_each(|job| self.single(job));
            }
        }
        flow
    }

    /// Runs and answers one write in a transaction of its own.
    fn single(&mut self, mut job: Box<dyn Job>) {
        let mut link = match self.begin() {
            Ok(link) => link,
            Err(error) => return job.answer(Err(error)),
        };
        let keep = job.run(&mut link);
        let end = link.sqlite().and_then(|conn| {
            if keep {
                AnsiTransactionManager::commit_transaction(conn)?;
            } else {
                AnsiTransactionManager::rollback_transaction(conn)?;
            }
            Ok(())
        });
        match end {
            Ok(()) => {
                self.link = Some(link);
                job.answer(Ok(()));
            }
            // Nothing was kept, as the work itself wanted; SQLite had only been faster to roll back.
            Err(_) if !keep => job.answer(Ok(())),
            Err(error) => job.answer(Err(error)),
        }
    }

    /// The connection, in a transaction that may write. Opened anew if the last one was given up.
    fn begin(&mut self) -> Result<Link, StoreError> {
        self.file.must_be_there()?;
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.file.open(Use::Write)?,
        };
        AnsiTransactionManager::begin_transaction_sql(link.sqlite()?, BEGIN)?;
        Ok(link)
    }
}

/// An error means that the transaction around it cannot be trusted any more; what the job made of its own work
/// it keeps to itself.
fn run_in_savepoint(link: &mut Link, job: &mut Box<dyn Job>) -> Result<(), StoreError> {
    AnsiTransactionManager::begin_transaction(link.sqlite()?)?;
    let keep = job.run(link);
    let conn = link.sqlite()?;
    if keep {
        AnsiTransactionManager::commit_transaction(conn)?;
    } else {
        AnsiTransactionManager::rollback_transaction(conn)?;
    }
    Ok(())
}
