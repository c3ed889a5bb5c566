//! Logging: through `tracing` to standard error, for people or for machines. What the libraries say by `slog` comes
//! the same way. No secret may be logged: not a header, not a query, not a body.

use std::io::{IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;

/// What log lines look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines to read.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts logging what `RUST_LOG` says, or else the usual.
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
        tracing::warn!("RUST_LOG is not understood, so {default} counts: {problem}");
    }
}

/// Standard error, as far as anybody takes it. A line that cannot be written is lost: its reader is gone or its disk
/// full, and no request may fail for that. `tracing-subscriber` would tell of an error by `eprintln!`, which panics for
/// the same reason that the line was lost.
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
