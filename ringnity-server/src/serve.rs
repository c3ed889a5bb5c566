//! Starting and stopping: opens the store, builds the state, registers every operation, listens.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, anyhow};
use dropshot::HttpServer;
use ringnity_api::ResponseCheck;
use ringnity_store::Store;

use crate::app::App;
use crate::auth::tokens::Signer;
use crate::clock::Clock;
use crate::config::ServeConfig;
use crate::demo::{self, Demo};
use crate::pages;
use crate::routes::Routes;
use crate::state::State;

/// A server that answers requests.
pub struct Running {
    server: HttpServer<State>,
    store: Store,
    /// The address that was bound.
    pub address: SocketAddr,
    /// Where its database is, in words.
    pub database: String,
    /// What was seeded, when the demo was asked for.
    pub demo: Option<Demo>,
}

/// Starts a server. `check` says what becomes of answers that break the contract.
pub async fn start(config: &ServeConfig, clock: Clock, check: ResponseCheck) -> Result<Running> {
    if config.database_url.is_none() || config.wants_demo() {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("cannot make the data folder {}", config.data_dir.display()))?;
    }
    let store_config = config.store()?;
    let database = store_config.describe();
    let store =
        Store::open(&store_config).await.with_context(|| format!("cannot open the database {database}"))?;
    // The address must be known before answers can name it, and port 0 is known only once it is bound.
    let listen = resolve(config.listen)?;
    let urls = config.urls(listen);
    let signer = Signer::load(&store, clock.now()).await?;
    let demo = if config.wants_demo() {
        Some(demo::seed(&store, &clock, &config.data_dir, &urls).await.context("cannot seed the demo")?)
    } else {
        None
    };
    let boundary =
        ringnity_api::boundary().map_err(|error| anyhow!("the contract cannot be compiled: {error}"))?;
    let state =
        State { app: App { store: store.clone(), clock, signer, urls }, boundary: boundary.responses(check) };
    let mut api = ringnity_api::api_description::<Routes>().map_err(|error| anyhow!("{error}"))?;
    pages::register(&mut api).map_err(|error| anyhow!("{error}"))?;
    let server = ringnity_api::runtime::start(api, state, listen)
        .with_context(|| format!("cannot listen on {listen}; choose another address with --listen"))?;
    let address = server.local_addr();
    if let (Some(demo), Some(file)) = (&demo, &config.demo_file) {
        demo.write(file)?;
    }
    Ok(Running { server, store, address, database, demo })
}

impl Running {
    /// Takes no more requests, finishes those it took, and closes the database.
    pub async fn stop(self) -> Result<()> {
        self.server.close().await.map_err(|error| anyhow!("stopping the listener: {error}"))?;
        self.store.close().await;
        Ok(())
    }
}

/// Replaces port 0 by a free one.
fn resolve(listen: SocketAddr) -> Result<SocketAddr> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let probe = std::net::TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    Ok(probe.local_addr()?)
}
