//! The store and its two doors, [`Store::read`] and [`Store::write`]. No queries here.

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

/// How long what is wanted soon waits for its turn.
const TRY_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// A database, open and migrated. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    config: StoreConfig,
    pool: Pool,
    /// Where the database is a file.
    file: Option<OpenedFile>,
    /// Only SQLite has a writer of its own.
    writer: Option<Writer>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.inner.config.describe()).finish()
    }
}

impl Store {
    /// Opens the database, creating an SQLite file where there is none, and applies pending migrations.
    ///
    /// Safe when several nodes start at once. A database that a newer version of this program has migrated is
    /// refused with [`StoreError::NewerSchema`].
    pub async fn open(config: &StoreConfig) -> Result<Store, StoreError> {
        let config = config.clone();
        let inner = run_blocking(move || open(config)).await?;
        tracing::debug!(database = %inner.config.describe(), "store opened");
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Opens a database that is there and up to date, and changes nothing about it: for commands that work beside a
    /// running server. One that is missing, or lacks migrations, is refused with
    /// [`StoreError::Missing`] or [`StoreError::NotMigrated`].
    pub async fn attach(config: &StoreConfig) -> Result<Store, StoreError> {
        let config = config.clone();
        let inner = run_blocking(move || attach(config)).await?;
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Opens the database like [`Store::open`], and tells which migrations that took.
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

    /// Which engine is behind this store.
    pub fn engine(&self) -> Engine {
        self.inner.config.engine()
    }

    /// Runs queries that only read, all on one snapshot of the database.
    ///
    /// The closure may run a second time when a connection dies under it. A write in it fails.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let permit = self.inner.pool.acquire().await?;
        self.read_with(permit, work).await
    }

    /// The same for what may take long where there is much to read, such as a search: at most half of the connections
    /// do such reads at one time, so that those who want something small, be it whose key this is, find one free.
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

    /// Runs queries as one transaction that takes place as if no other did at the same time, and answers after
    /// it is safe on disk. If the closure returns an error (or panics), nothing of it is kept.
    ///
    /// The closure may run several times, so it must have no effect but on its connection: no network calls (put
    /// a row into [`events`](crate::events) instead), nothing sent or counted. A statement that fails dooms the
    /// transaction: do not go on after it, return the error. Once begun it is carried through, also when the
    /// caller stops waiting.
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

    /// The same for what is better left undone than waited for: [`StoreError::Busy`] after a second or so. On SQLite
    /// it may be done all the same, later.
    pub async fn try_write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        if let Some(writer) = &self.inner.writer {
            let timed_out =
                |_| Err(StoreError::Busy(format!("it was not written within {TRY_WRITE_TIMEOUT:?}")).into());
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

    /// How busy this store is right now.
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

    /// Finishes the writes that were taken, then closes every connection. Calls made afterwards are refused with
    /// [`StoreError::Unavailable`]. A store that is merely dropped loses nothing either, but does not wait.
    pub async fn close(&self) {
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
        self.inner.pool.close(self.inner.config.connections).await;
    }
}

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

/// Makes ready what reads and writes a database that is migrated.
fn connect(mut config: StoreConfig, open: Option<InstrumentedConnection>) -> Result<Inner, StoreError> {
    // With one, whoever reads for long would keep everybody waiting.
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
