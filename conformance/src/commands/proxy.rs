//! The command `proxy`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use conformance::proxy::{ExchangeViolation, Proxy, listen};
use conformance::wire::Client;

use super::Documents;

/// Shown by `--help`.
pub const EXAMPLES: &str = "Example:\n  \
    conformance proxy --upstream http://127.0.0.1:8192 --listen 127.0.0.1:8193\n\n\
    Point the client at http://127.0.0.1:8193. Violations are printed as they occur. Ctrl-C stops the proxy and prints totals.\n\
    Exit codes: 0 no violation; 1 a violation was found; 2 the proxy could not start.";

/// Arguments of `proxy`.
#[derive(Debug, Args)]
pub struct ProxyCommand {
    /// Base URL of the server
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8193")]
    listen: SocketAddr,
    #[command(flatten)]
    documents: Documents,
    /// Output format of violations
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// Timeout of a response in seconds
    #[arg(long, alias = "patience", value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// Plain text
    Text,
    /// One JSON object per line
    Json,
}

impl ProxyCommand {
    /// Serves until Ctrl-C. Returns whether there was no violation.
    pub async fn run(&self) -> Result<bool> {
        let contract = self.documents.read()?;
        let client = Client::new(&self.upstream, Duration::from_secs(self.timeout.max(1)))?;
        let form = self.format;
        let proxy = Proxy::new(contract, client, move |violation: &ExchangeViolation| match form {
            OutputFormat::Text => println!("{violation}\n"),
            OutputFormat::Json => println!("{}", serde_json::to_string(violation).unwrap_or_default()),
        });
        let listener = listen(self.listen).await?;
        eprintln!(
            "listening on http://{}, forwarding to {}; press Ctrl-C to stop",
            listener.local_addr()?,
            self.upstream
        );
        tokio::select! {
            ended = std::sync::Arc::clone(&proxy).serve(listener) => match ended? {},
            stop = tokio::signal::ctrl_c() => stop?,
        }
        let counts = proxy.counts();
        eprintln!(
            "{} exchanges; {} requests and {} responses violate the contract",
            counts.exchanges, counts.requests, counts.responses
        );
        Ok(counts.requests + counts.responses == 0)
    }
}
