//! The connection pool. Connections are opened on demand and kept. When one turns out to be dead, all idle ones are
//! dropped.
//!
//! Callers wait for a permit on the async side, so waiting takes no threads, and an unreachable database is reported at
//! once instead of after a pool timeout. Connections are not pinged before use: the `BEGIN` of a transaction detects a
//! dead one as well, and is always safe to repeat.

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
    /// Writers wait for each other's locks. They may use at most three quarters of the pool, so that readers do not wait
    /// with them.
    writers: Arc<Semaphore>,
    /// Slow reads may use at most half the pool.
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

    /// Waits for a permit to use one connection.
    pub(crate) async fn acquire(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        with_timeout(self.acquire_timeout, self.permits.clone().acquire_owned()).await
    }

    /// Waits for permits for a write, for at most `timeout`.
    pub(crate) async fn acquire_write(
        &self,
        timeout: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        self.acquire_class(&self.writers, timeout.min(self.acquire_timeout)).await
    }

    /// Waits for permits for a slow read.
    pub(crate) async fn acquire_slow_read(&self) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        self.acquire_class(&self.slow_reads, self.acquire_timeout).await
    }

    /// Waits for a permit of the class, then for one of the pool: a caller that waits for its class holds no connection.
    async fn acquire_class(
        &self,
        class: &Arc<Semaphore>,
        timeout: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        let both =
            async { Ok([class.clone().acquire_owned().await?, self.permits.clone().acquire_owned().await?]) };
        with_timeout(timeout, both).await
    }

    /// Permits that are free.
    pub(crate) fn available(&self) -> usize {
        self.permits.available_permits()
    }

    /// Takes an idle connection or opens one. The caller holds a permit. Blocks while connecting.
    pub(crate) fn take(&self) -> Result<InstrumentedConnection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => (self.open)(),
        }
    }

    /// Returns a usable connection to the pool.
    pub(crate) fn put_back(&self, connection: InstrumentedConnection) {
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    /// Drops all idle connections: if one of them is dead, the others probably are too.
    pub(crate) fn discard_idle(&self) {
        let dead = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(dead);
    }

    /// Waits for all permits to come back, refuses new ones, and closes the connections.
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
