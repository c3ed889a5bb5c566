//! Logging: `tracing` to standard error, as text or JSON. The `slog` records of libraries are included. Secrets must
//! not be logged: no headers, no queries, no bodies.

use std::io::{IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;

/// Format of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines to read.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts logging with the filter in `RUST_LOG`, or else `default`.
pub fn start(format: LogFormat, default: &str) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|wanted| !wanted.is_empty());
    let (filter, problem) = match EnvFilter::try_new(wanted.as_deref().unwrap_or(default)) {
        Ok(filter) => (filter, None),
        Err(problem) => (EnvFilter::new(default), Some(problem)),
    };
    let colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LossyStderr).with_ansi(colours);
    match format {
        LogFormat::Human => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    if let Some(problem) = problem {
        tracing::warn!("RUST_LOG is not a valid filter, so {default} is used: {problem}");
    }
}

/// Standard error that drops lines it cannot write: the reader may be gone or the disk full, and no request may fail
/// for that. `tracing-subscriber` would report the error with `eprintln!`, which panics for the same reason.
struct LossyStderr;

impl Write for LossyStderr {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let _ = std::io::stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
