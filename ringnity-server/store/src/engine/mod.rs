//! [`Store`], and everything between the queries and the two databases. No queries here.

mod config;
mod conn;
mod error;
mod event_position;
pub(crate) mod file_owner;
mod load;
pub(crate) mod migrate;
mod pool;
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod types;
mod writer;

use std::{sync::Arc, time::Duration};

pub(crate) use self::{
    config::DatabaseLocation,
    conn::{InstrumentedConnection, on_engine},
    types::{DbTimestamp, NullableDbTimestamp, TextList, UtcTimestamp},
};
pub use self::{
    config::{Engine, StoreConfig},
    conn::Conn,
    error::{StoreError, StoreResult, constraint},
    event_position::EventPosition,
    load::Load,
    migrate::MigrationState,
    types::to_stored_precision,
};
use self::{
    pool::Pool,
    sqlite::{OpenMode, OpenedFile},
    writer::Writer,
};

/// How long [`Store::try_write`] waits for a connection, and on SQLite for the commit.
const TRY_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open, migrated database. Cheap to clone; clones share one connection pool.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    config: StoreConfig,
    pool: Pool,
    /// SQLite only.
    file: Option<OpenedFile>,
    /// SQLite only.
    writer: Option<Writer>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.inner.config.describe()).finish()
    }
}

impl Store {
    /// Opens the database and applies pending migrations. Creates the SQLite file if there is none.
    ///
    /// Several nodes may do this at once. Returns [`StoreError::NewerSchema`] if a newer version of this program has
    /// migrated the database.
    pub async fn open(config: &StoreConfig) -> Result<Store, StoreError> {
        let config = config.clone();
        let inner = run_blocking(move || open(config)).await?;
        tracing::debug!(database = %inner.config.describe(), "store opened");
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Opens an existing, fully migrated database without changing it. For commands that run beside a server.
    ///
    /// Returns [`StoreError::Missing`] if there is no database, [`StoreError::NotMigrated`] if migrations are pending,
    /// and [`StoreError::NewerSchema`] as [`Store::open`] does.
    pub async fn attach(config: &StoreConfig) -> Result<Store, StoreError> {
        let config = config.clone();
        let inner = run_blocking(move || attach(config)).await?;
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Migrates the database like [`Store::open`]. Returns the names of the migrations it applied, oldest first.
    pub async fn migrate(config: &StoreConfig) -> Result<Vec<String>, StoreError> {
        let config = config.clone();
        run_blocking(move || match &config.location {
            DatabaseLocation::Sqlite(path) => {
                migrate::migrate_sqlite(sqlite::open(path, OpenMode::Migrate)?.sqlite()?)
            }
            DatabaseLocation::Postgres(url) => migrate::migrate_postgres(postgres::open(url)?.postgres()?),
        })
        .await
    }

    /// The engine that this store is on.
    pub fn engine(&self) -> Engine {
        self.inner.config.engine()
    }

    /// Runs read-only queries on one snapshot of the database. A write in the closure fails.
    ///
    /// The closure may run a second time if its connection dies. Returns [`StoreError::Busy`] if no connection is free
    /// within [`StoreConfig::acquire_timeout`].
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let permit = self.inner.pool.acquire().await?;
        self.read_with(permit, work).await
    }

    /// Like [`Store::read`], for queries that may read many rows, such as a search.
    ///
    /// Slow reads may use at most half the pool, so short queries such as key lookups always find a connection.
    pub async fn read_slow<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let permits = self.inner.pool.acquire_slow_read().await?;
        self.read_with(permits, work).await
    }

    async fn read_with<T, E, F>(&self, permit: impl Send + 'static, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let inner = self.inner.clone();
        run_blocking(move || {
            let _permit = permit;
            match &inner.file {
                Some(file) => sqlite::read(&inner.pool, file, &work),
                None => postgres::read(&inner.pool, &work),
            }
        })
        .await
    }

    /// Runs queries in one serializable transaction. Returns after the commit is durable. If the closure returns an
    /// error or panics, the transaction is rolled back.
    ///
    /// The closure may run several times, so its only effects must be on its connection: no network calls (write a row
    /// to [`events`](crate::events) instead), no messages, no counters. A failed statement aborts the transaction, so
    /// return its error. A write that has started is completed even if the caller drops the future.
    ///
    /// Returns [`StoreError::Busy`] if the queue, the pool or the database is overloaded.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        if let Some(writer) = &self.inner.writer {
            return writer.write(work).await;
        }
        self.write_postgres(work, None).await
    }

    /// Like [`Store::write`], but gives up with [`StoreError::Busy`] after about a second. On SQLite the write may still
    /// take place later.
    pub async fn try_write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        if let Some(writer) = &self.inner.writer {
            let timed_out =
                |_| Err(StoreError::Busy(format!("the write took longer than {TRY_WRITE_TIMEOUT:?}")).into());
            return tokio::time::timeout(TRY_WRITE_TIMEOUT, writer.write(work))
                .await
                .unwrap_or_else(timed_out);
        }
        self.write_postgres(work, Some(TRY_WRITE_TIMEOUT)).await
    }

    async fn write_postgres<T, E, F>(&self, work: F, timeout: Option<Duration>) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let permits = self.inner.pool.acquire_write(timeout.unwrap_or(Duration::MAX)).await?;
        let inner = self.inner.clone();
        run_blocking(move || {
            let _permits = permits;
            postgres::write(&inner.pool, &work, timeout.is_some())
        })
        .await
    }

    /// How busy the store is now.
    pub fn load(&self) -> Load {
        let connections = self.inner.config.connections;
        let available = self.inner.pool.available();
        let waiting = self.inner.writer.as_ref().map_or(0, Writer::waiting);
        Load {
            connections: connections as u64,
            in_use: connections.saturating_sub(available) as u64,
            writes_waiting: waiting as u64,
        }
    }

    /// Completes queued writes, then closes every connection. Later calls return [`StoreError::Unavailable`]. Dropping
    /// the last clone completes queued writes too, but does not wait for them.
    pub async fn close(&self) {
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
        self.inner.pool.close(self.inner.config.connections).await;
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn run_blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => Err(StoreError::closed().into()),
        Err(error) => Err(StoreError::Panicked(error.to_string()).into()),
    }
}

fn open(config: StoreConfig) -> Result<Inner, StoreError> {
    let connection = match &config.location {
        DatabaseLocation::Sqlite(path) => {
            let applied = migrate::migrate_sqlite(sqlite::open(path, OpenMode::Migrate)?.sqlite()?)?;
            log_migrations(&config, &applied);
            None
        }
        DatabaseLocation::Postgres(url) => {
            let mut connection = postgres::open(url)?;
            let applied = migrate::migrate_postgres(connection.postgres()?)?;
            log_migrations(&config, &applied);
            postgres::apply_session_limits(&mut connection)?;
            Some(connection)
        }
    };
    connect(config, connection)
}

fn attach(config: StoreConfig) -> Result<Inner, StoreError> {
    let state = migrate::state_of(&config)?;
    state.ensure_not_newer()?;
    if state.pending.is_empty() {
        connect(config, None)
    } else {
        Err(StoreError::NotMigrated { pending: state.pending })
    }
}

/// Starts the pool, and on SQLite the writer, for a migrated database.
fn connect(mut config: StoreConfig, open: Option<InstrumentedConnection>) -> Result<Inner, StoreError> {
    // With a single connection, one slow read would block everything else.
    config.connections = config.connections.max(2);
    let (pool, file, writer) = match &config.location {
        DatabaseLocation::Sqlite(path) => {
            let file = OpenedFile::new(path)?;
            let writer = Writer::start(file.clone(), config.group_limit, config.acquire_timeout)?;
            let read = file.clone();
            let open = move || read.open(OpenMode::Read);
            (Pool::new(config.connections, config.acquire_timeout, open), Some(file), Some(writer))
        }
        DatabaseLocation::Postgres(url) => {
            let url = url.clone();
            (
                Pool::new(config.connections, config.acquire_timeout, move || {
                    postgres::open_for_requests(&url)
                }),
                None,
                None,
            )
        }
    };
    if let Some(connection) = open {
        pool.put_back(connection);
    }
    Ok(Inner { config, pool, file, writer })
}

fn log_migrations(config: &StoreConfig, applied: &[String]) {
    if !applied.is_empty() {
        tracing::info!(database = %config.describe(), applied = applied.len(), "migrated the database");
    }
}
