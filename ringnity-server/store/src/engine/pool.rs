//! A pool of connections: opened when first needed, kept, and thrown away together when one turns out to be dead.
//!
//! Waiting for a turn happens on the async side, so blocked callers hold no threads, and a database that is gone
//! is reported at once instead of after a pool's own timeout. Nothing is pinged: the `BEGIN` of a transaction
//! finds a dead connection as well, and is always safe to repeat.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::engine::{conn::InstrumentedConnection, error::StoreError};

type Opener = dyn Fn() -> Result<InstrumentedConnection, StoreError> + Send + Sync;

pub(crate) struct Pool {
    open: Box<Opener>,
    idle: Mutex<Vec<InstrumentedConnection>>,
    permits: Arc<Semaphore>,
    /// Writers may wait for each other, and must not keep readers waiting with them: a quarter of the turns is never
    /// theirs.
    writers: Arc<Semaphore>,
    /// Nor must reads that take long: half of the turns is never theirs.
    slow_reads: Arc<Semaphore>,
    acquire_timeout: Duration,
}

impl Pool {
    pub(crate) fn new(
        size: usize,
        acquire_timeout: Duration,
        open: impl Fn() -> Result<InstrumentedConnection, StoreError> + Send + Sync + 'static,
    ) -> Pool {
        Pool {
            open: Box::new(open),
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(size.max(1))),
            writers: Arc::new(Semaphore::new((size - size / 4).max(1))),
            slow_reads: Arc::new(Semaphore::new((size / 2).max(1))),
            acquire_timeout,
        }
    }

    /// Waits for the right to use one connection.
    pub(crate) async fn acquire(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        with_timeout(self.acquire_timeout, self.permits.clone().acquire_owned()).await
    }

    /// The same for one who is going to write.
    pub(crate) async fn acquire_write(
        &self,
        timeout: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        self.acquire_class(&self.writers, timeout.min(self.acquire_timeout)).await
    }

    /// The same for one who is going to read for long.
    pub(crate) async fn acquire_slow_read(&self) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        self.acquire_class(&self.slow_reads, self.acquire_timeout).await
    }

    /// A turn for one of those who may not have all of them. They wait for each other first, and have none meanwhile.
    async fn acquire_class(
        &self,
        class: &Arc<Semaphore>,
        timeout: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        let both =
            async { Ok([class.clone().acquire_owned().await?, self.permits.clone().acquire_owned().await?]) };
        with_timeout(timeout, both).await
    }

    /// Turns that nobody has.
    pub(crate) fn available(&self) -> usize {
        self.permits.available_permits()
    }

    /// A connection, for one who has a turn. Blocks while connecting.
    pub(crate) fn take(&self) -> Result<InstrumentedConnection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => (self.open)(),
        }
    }

    pub(crate) fn put_back(&self, connection: InstrumentedConnection) {
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    /// One connection was found dead: the others of its age are too.
    pub(crate) fn discard_idle(&self) {
        let dead = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(dead);
    }

    /// Lets nobody in any more, waits for those who are, and closes the connections.
    pub(crate) async fn close(&self, size: usize) {
        let all = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        let permits = self.permits.acquire_many(all).await;
        self.permits.close();
        drop(permits);
        self.discard_idle();
    }
}

async fn with_timeout<T>(
    timeout: Duration,
    acquire: impl Future<Output = Result<T, AcquireError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, acquire).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(StoreError::closed()),
        Err(_) => Err(StoreError::Busy(format!("no connection was free for {timeout:?}"))),
    }
}
