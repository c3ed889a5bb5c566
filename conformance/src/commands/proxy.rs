//! `proxy`: judges the traffic between a client and a server.

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
    Point the client at http://127.0.0.1:8193. Breaches are printed as they happen; Ctrl-C ends it with a sum.\n\
    Exit 0: nothing broke the contract. 1: something did. 2: it could not start.";

/// Arguments of `proxy`.
#[derive(Debug, Args)]
pub struct ProxyCommand {
    /// The server
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Address to listen at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8193")]
    listen: SocketAddr,
    #[command(flatten)]
    documents: Documents,
    /// How breaches are printed: words, or one JSON object a line
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// Seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// Words
    Text,
    /// One JSON object a line
    Json,
}

impl ProxyCommand {
    /// Serves until Ctrl-C, and answers whether nothing broke the contract.
    pub async fn run(&self) -> Result<bool> {
        let contract = self.documents.read()?;
        let client = Client::new(&self.upstream, Duration::from_secs(self.timeout.max(1)))?;
        let form = self.format;
        let proxy = Proxy::new(contract, client, move |breach: &ExchangeViolation| match form {
            OutputFormat::Text => println!("{breach}\n"),
            OutputFormat::Json => println!("{}", serde_json::to_string(breach).unwrap_or_default()),
        });
        let listener = listen(self.listen).await?;
        eprintln!("http://{} → {}; Ctrl-C ends it", listener.local_addr()?, self.upstream);
        tokio::select! {
            ended = std::sync::Arc::clone(&proxy).serve(listener) => match ended? {},
            stop = tokio::signal::ctrl_c() => stop?,
        }
        let counts = proxy.counts();
        eprintln!(
            "{} exchanges; {} requests and {} answers break the contract",
            counts.exchanges, counts.requests, counts.responses
        );
        Ok(counts.requests + counts.responses == 0)
    }
}
