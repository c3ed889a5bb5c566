//! `serve`: runs a server until it is told to stop. What a server consists of is `crate::serve`'s.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use ringnity_api::ResponseCheck;
use sd_notify::NotifyState;

use crate::cli::output::Outcome;
use crate::clock::Clock;
use crate::config::ServeConfig;
use crate::serve;

/// Runs it; the first stop signal finishes what was taken, the second does not wait.
pub(super) async fn run(config: ServeConfig) -> Result<Outcome> {
    // Before anybody can know that the server runs: who stops it then means it well.
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
    // Whoever started it may have stopped to read.
    let _ = writeln!(std::io::stdout(), "{banner}");
    notify_systemd(&NotifyState::Ready);
    stops.next().await;
    notify_systemd(&NotifyState::Stopping);
    tracing::info!("stopping: no new requests, finishing those that were taken");
    tokio::select! {
        done = running.stop() => done.map(|()| Outcome::Success),
        () = stops.next() => {
            bail!("stopped at once, as asked twice: requests that were under way may not have been answered")
        }
    }
}

/// Tells the service manager, where one has started this program.
fn notify_systemd(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!("cannot tell systemd: {error}");
    }
}

/// A file that may not grow any more (`LimitFSIZE` of systemd, `ulimit -f`) is a failed write like that on a full disk.
/// The kernel's own idea is to end the process; a handler keeps it from that, whatever it does.
fn ignore_sigxfsz() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // The handler stays when this, which would tell of signals, is gone.
        drop(signal(SignalKind::from_raw(libc::SIGXFSZ)).context("cannot take SIGXFSZ")?);
    }
    Ok(())
}

/// Each connection is an open file. Systems give programs few of them (1024) and let them take more (a million): few
/// are for programs that cannot count further, which this one can.
fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limits = getrlimit(Resource::Nofile);
        let all = Rlimit { current: limits.maximum, maximum: limits.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, all) {
            tracing::debug!("no more than {:?} files may be open: {error}", limits.current);
        }
    }
}

/// Ctrl-C and, where there is one, SIGTERM. From the moment that this exists they no longer end the process.
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
