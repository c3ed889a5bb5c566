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

use crate::engine::{conn::Link, error::StoreError};

type Opener = dyn Fn() -> Result<Link, StoreError> + Send + Sync;

pub(crate) struct Pool {
    open: Box<Opener>,
    idle: Mutex<Vec<Link>>,
    turns: Arc<Semaphore>,
    /// Writers may wait for each other, and must not keep readers waiting with them: a quarter of the turns is never
    /// theirs.
    writers: Arc<Semaphore>,
    /// Nor must reads that take long: half of the turns is never theirs.
    patient: Arc<Semaphore>,
    patience: Duration,
}

impl Pool {
    pub(crate) fn new(
        size: usize,
        patience: Duration,
        open: impl Fn() -> Result<Link, StoreError> + Send + Sync + 'static,
    ) -> Pool {
        Pool {
            open: Box::new(open),
            idle: Mutex::new(Vec::new()),
            turns: Arc::new(Semaphore::new(size.max(1))),
            writers: Arc::new(Semaphore::new((size - size / 4).max(1))),
            patient: Arc::new(Semaphore::new((size / 2).max(1))),
            patience,
        }
    }

    /// Waits for the right to use one connection.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        in_time(self.patience, self.turns.clone().acquire_owned()).await
    }

    /// The same for one who is going to write.
    pub(crate) async fn turn_to_write(
        &self,
        patience: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        self.turn_as(&self.writers, patience.min(self.patience)).await
    }

    /// The same for one who is going to read for long.
    pub(crate) async fn turn_to_read_patiently(&self) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        self.turn_as(&self.patient, self.patience).await
    }

    /// A turn for one of those who may not have all of them. They wait for each other first, and have none meanwhile.
    async fn turn_as(
        &self,
        kind: &Arc<Semaphore>,
        patience: Duration,
    ) -> Result<[OwnedSemaphorePermit; 2], StoreError> {
        let both =
            async { Ok([kind.clone().acquire_owned().await?, self.turns.clone().acquire_owned().await?]) };
        in_time(patience, both).await
    }

    /// Turns that nobody has.
    pub(crate) fn free(&self) -> usize {
        self.turns.available_permits()
    }

    /// A connection, for one who has a turn. Blocks while connecting.
    pub(crate) fn take(&self) -> Result<Link, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(link) => Ok(link),
            None => (self.open)(),
        }
    }

    pub(crate) fn put_back(&self, link: Link) {
        if !self.turns.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        }
    }

    /// One connection was found dead: the others of its age are too.
    pub(crate) fn forget_idle(&self) {
        let dead = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(dead);
    }

    /// Lets nobody in any more, waits for those who are, and closes the connections.
    pub(crate) async fn close(&self, size: usize) {
        let all = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        let turns = self.turns.acquire_many(all).await;
        self.turns.close();
        drop(turns);
        self.forget_idle();
    }
}

async fn in_time<T>(
    patience: Duration,
    turn: impl Future<Output = Result<T, AcquireError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(patience, turn).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) => Err(StoreError::stopped()),
        Err(_) => Err(StoreError::Busy(format!("no connection was free for {patience:?}"))),
    }
}
