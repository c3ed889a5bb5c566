//! `serve`: runs a server until it is told to stop. What a server consists of is `crate::serve`'s.

use anyhow::{Context as _, Result, bail};
use ringnity_api::ResponseCheck;

use super::output::Outcome;
use crate::clock::Clock;
use crate::config::ServeConfig;
use crate::serve;

/// Runs it; the first stop signal finishes what was taken, the second does not wait.
pub(super) async fn run(config: ServeConfig) -> Result<Outcome> {
    let running = serve::start(&config, Clock::default(), ResponseCheck::Report).await?;
    println!(
        "Ringnity is listening on {}://{} (database: {})\n",
        running.scheme(),
        running.address,
        running.database
    );
    if let Some(private) = running.private_address() {
        println!("Metrics, health and readiness are on http://{private}\n");
    }
    if let Some(demo) = &running.demo {
        println!("{}", demo.sheet());
    }
    stop_signal().await?;
    tracing::info!("stopping: no new requests, finishing those that were taken");
    tokio::select! {
        done = running.stop() => done.map(|()| Outcome::Fine),
        again = stop_signal() => {
            again?;
            bail!("stopped at once, as asked twice: requests that were under way may not have been answered")
        }
    }
}

/// Waits for Ctrl-C or, where there is one, SIGTERM.
async fn stop_signal() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done.context("cannot wait for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}
