//! Starts and stops a server: opens the store, builds the state, registers the operations, listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use dropshot::HttpServer;
use ringnity_api::{CONTRACT, ResponseCheck};
use ringnity_store::Store;

use crate::app::{App, Limits};
use crate::clock::Clock;
use crate::config::ServeConfig;
use crate::database_lock::{self, DatabaseLock, LockError};
use crate::demo::{self, Demo};
use crate::http::cors_cache::CorsCache;
use crate::http::docs;
use crate::http::private::{self, Private, PrivateServer};
use crate::http::routes::Routes;
use crate::http::state::{InFlight, State};
use crate::jobs::{self, Job, Runner};
use crate::secrets::tokens::{KeyRefreshTask, Signer};
use crate::telemetry::metrics::Metrics;
use crate::tls::Certificate;

/// How long a shutdown waits for requests in flight.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it waits for idle clients to close their connections.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it waits for requests to the private listener.
const PRIVATE_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A running server.
pub struct Running {
    server: HttpServer<State>,
    jobs: Runner,
    store: Store,
    private: Option<PrivateServer>,
    /// How long to keep serving after a stop signal.
    stop_delay: Duration,
    /// Set when the shutdown starts.
    stopping: Arc<AtomicBool>,
    /// Requests in flight.
    in_flight: InFlight,
    /// Reloads certificates, with HTTPS.
    certificate_watch: Option<tokio::task::JoinHandle<()>>,
    /// The bound address.
    pub address: SocketAddr,
    /// Description of the database.
    pub database: String,
    /// The demo, if it was requested.
    pub demo: Option<Demo>,
    /// Keeps other servers from an SQLite file.
    _lock: Option<DatabaseLock>,
    /// Loads new signing keys.
    _key_refresh: KeyRefreshTask,
}

/// Starts a server. `check` says what happens to responses that violate the contract.
pub async fn start(config: &ServeConfig, clock: Clock, check: ResponseCheck) -> Result<Running> {
    start_with_jobs(config, clock, check, jobs::all()).await
}

/// Starts a server that runs these jobs and no others.
pub async fn start_with_jobs(
    config: &ServeConfig,
    clock: Clock,
    check: ResponseCheck,
    jobs: Vec<Arc<dyn Job>>,
) -> Result<Running> {
    let (store, database, lock) = open_store(config).await?;
    // URLs contain the address, and the port of port 0 is not known before it is chosen.
    let listen = pick_address(config.listen)?;
    let urls = config.urls(listen);
    let signer = Arc::new(Signer::load(&store, clock.now()).await?);
    let key_refresh = signer.spawn_refresh(&store);
    let google = config.google().context("cannot set up sign-in with Google")?;
    let demo = match config.wants_demo() {
        true => {
            let rejected = config.demo_file.is_some();
            let seeded =
                demo::seed(&store, &clock, &signer, &config.database.data_dir, &urls, rejected).await;
            Some(seeded.context("cannot seed the demo")?)
        }
        false => None,
    };
    let raise_login_limits = config.wants_demo() && config.rate_limit.is_none();
    let app = App::new(store.clone(), clock.clone(), signer, CONTRACT)?
        .with_urls(urls)
        .with_google(google)
        .with_limits(Limits::new(config.rate_limit(), raise_login_limits));
    let app = Arc::new(app);
    let metrics = Arc::new(Metrics::new(&store));
    let (stopping, in_flight) = (Arc::new(AtomicBool::new(false)), InFlight::default());
    let schemas =
        ringnity_api::schema_validator().map_err(|error| anyhow!("cannot compile the contract: {error}"))?;
    let state = State {
        app: Arc::clone(&app),
        schemas: schemas.with_response_check(check),
        trusted_proxies: config.trusted_proxies.clone(),
        metrics: metrics.clone(),
        draining: stopping.clone(),
        in_flight: in_flight.clone(),
        cors_cache: CorsCache::default(),
    };
    let certificate = config.certificate()?;
    let tls = certificate.as_ref().map(Certificate::config).transpose()?;
    let mut api = ringnity_api::api_description::<Routes>().map_err(|error| anyhow!("{error}"))?;
    docs::register(&mut api).map_err(|error| anyhow!("{error}"))?;
    let server = ringnity_api::runtime::start(api, state, listen, tls)
        .with_context(|| format!("cannot listen on {listen}; choose another address with --listen"))?;
    let private = Private { metrics, store: store.clone(), clock, stopping: stopping.clone() };
    let private = config.private_listen.map(|listen| private::start(private, listen)).transpose()?;
    if let (Some(demo), Some(file)) = (&demo, &config.demo_file) {
        demo.write(file).context("cannot write the file of --demo-file; choose another path")?;
    }
    Ok(Running {
        address: server.local_addr(),
        server,
        jobs: Runner::start(app, jobs),
        store,
        private,
        stopping,
        in_flight,
        stop_delay: config.stop_delay,
        certificate_watch: certificate.map(|certificate| tokio::spawn(certificate.watch_files())),
        database,
        demo,
        _lock: lock,
        _key_refresh: key_refresh,
    })
}

/// Opens the database of `config`, exclusively if it is an SQLite file. Also returns a description of it.
async fn open_store(config: &ServeConfig) -> Result<(Store, String, Option<DatabaseLock>)> {
    let data_dir = &config.database.data_dir;
    if config.database.database_url.is_none() || config.wants_demo() {
        std::fs::create_dir_all(data_dir).with_context(|| {
            format!("cannot create the data folder {}; choose another with --data-dir", data_dir.display())
        })?;
    }
    let store_config = config.store().context("cannot use --database-url")?;
    let database = store_config.describe();
    let lock = match store_config.sqlite_path() {
        Some(file) => Some(database_lock::acquire(file).map_err(|error| match error {
            LockError::Held(_) => anyhow!(
                "another server uses the database {}; stop it, or choose another folder with --data-dir",
                file.display()
            ),
            other => anyhow!("{other}; choose another location with --data-dir or --database-url"),
        })?),
        None => None,
    };
    let store = Store::open(&store_config).await.with_context(|| match &config.database.database_url {
        Some(_) => format!("cannot open the database {database} of --database-url"),
        None => format!("cannot open the database {database} in the folder of --data-dir"),
    })?;
    Ok((store, database, lock))
}

impl Running {
    /// URL scheme of the listener.
    pub fn scheme(&self) -> &'static str {
        if self.server.using_tls() { "https" } else { "http" }
    }

    /// The server's state, for connections that are served beside the operations.
    pub fn state(&self) -> &State {
        self.server.app_private()
    }

    /// Address of the private listener, if there is one.
    pub fn private_address(&self) -> Option<SocketAddr> {
        self.private.as_ref().map(PrivateServer::local_addr)
    }

    /// Number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.count()
    }

    /// Stops accepting requests and jobs, drains those in flight, and closes the database. Requests and jobs are given
    /// up after a minute, idle connections after seconds.
    pub async fn stop(self) -> Result<()> {
        self.stopping.store(true, Ordering::Relaxed);
        // A request that arrives while connections are closed is lost, so load balancers get time to drain the node.
        tokio::time::sleep(self.stop_delay).await;
        if let Some(certificate_watch) = self.certificate_watch {
            certificate_watch.abort();
        }
        let in_flight = &self.in_flight;
        let closing = async {
            tokio::select! {
                done = self.server.close() => done.map_err(|error| anyhow!("stopping the listener: {error}")),
                () = in_flight.wait_idle(IDLE_TIMEOUT) => {
                    tracing::info!("some clients keep idle connections open");
                    Ok(())
                }
                () = tokio::time::sleep(DRAIN_TIMEOUT) => {
                    tracing::warn!("some requests did not finish within {} s", DRAIN_TIMEOUT.as_secs());
                    Ok(())
                }
            }
        };
        let (closed, ()) = tokio::join!(closing, self.jobs.stop(DRAIN_TIMEOUT));
        if let Some(private) = self.private {
            // A scrape may finish, but the shutdown does not wait for it for long.
            let _ = tokio::time::timeout(PRIVATE_CLOSE_TIMEOUT, private.close()).await;
        }
        self.store.close().await;
        closed
    }
}

/// Ports to choose from for port 0: below the ephemeral range, from which another process may get the port first.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// Replaces port 0 by a free port.
fn pick_address(listen: SocketAddr) -> Result<SocketAddr> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    for _ in 0..32 {
        let chance = getrandom::u32().context("the system has no random numbers")?;
        let port = PORTS.start + (chance % u32::from(PORTS.end - PORTS.start)) as u16;
        let address = SocketAddr::new(listen.ip(), port);
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    let probe = std::net::TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    Ok(probe.local_addr()?)
}
