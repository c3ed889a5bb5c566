//! `serve`: runs a server until a stop signal.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use ringnity_api::ResponseCheck;
use sd_notify::NotifyState;

use crate::cli::output::Outcome;
use crate::clock::Clock;
use crate::config::ServeConfig;
use crate::serve;

/// Runs the server. The first stop signal drains it, the second stops it at once.
pub(super) async fn run(config: ServeConfig) -> Result<Outcome> {
    // Before the server announces itself, so that no signal is missed.
    let mut stops = StopSignals::listen()?;
    ignore_sigxfsz()?;
    raise_open_file_limit();
    let running = serve::start(&config, Clock::default(), ResponseCheck::Report).await?;
    let mut banner = format!(
        "Ringnity is listening on {}://{} (database: {})\n",
        running.scheme(),
        running.address,
        running.database
    );
    if let Some(private) = running.private_address() {
        banner += &format!("\nMetrics, health and readiness are on http://{private}\n");
    }
    if let Some(demo) = &running.demo {
        banner += &format!("\n{}", demo.sheet());
    }
    // Standard output may be closed.
    let _ = writeln!(std::io::stdout(), "{banner}");
    notify_systemd(&NotifyState::Ready);
    stops.next().await;
    notify_systemd(&NotifyState::Stopping);
    tracing::info!("shutting down: finishing requests in flight");
    tokio::select! {
        done = running.stop() => done.map(|()| Outcome::Success),
        () = stops.next() => {
            bail!("stopped on the second signal: requests in flight may have been lost")
        }
    }
}

/// Notifies systemd, if it started this program.
fn notify_systemd(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!("cannot notify systemd: {error}");
    }
}

/// Reaching the file size limit (`LimitFSIZE`, `ulimit -f`) becomes a failed write, like a full disk. Without a handler
/// for SIGXFSZ the kernel ends the process.
fn ignore_sigxfsz() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // The handler stays installed when the stream is dropped.
        drop(signal(SignalKind::from_raw(libc::SIGXFSZ)).context("cannot handle SIGXFSZ")?);
    }
    Ok(())
}

/// Raises the limit of open files to its maximum: each connection is one, and the default (1024) is made for programs
/// that use `select`.
fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limits = getrlimit(Resource::Nofile);
        let all = Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, all) {
            tracing::debug!("cannot raise the limit of {:?} open files: {error}", limits.current);
        }
    }
}

/// Ctrl-C and, on Unix, SIGTERM. While this exists they do not end the process.
struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
        let terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C") {
            tracing::warn!("{error:#}");
            std::future::pending::<()>().await;
        }
    }
}
