//! The commands: arguments and output.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use conformance::contract::Contract;
use conformance::contract::settings::Settings;
use conformance::{inputs, ringnity};

pub mod diff;
pub mod proxy;
pub mod run;

/// The contract to check against.
#[derive(Debug, Args)]
pub struct Documents {
    /// OpenAPI document in JSON [default: the contract of ringnity-server]
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// The published edition of --contract, without corrections; responses are checked against it, too
    #[arg(long, value_name = "FILE", requires = "contract")]
    published: Option<PathBuf>,
    /// Base path of the server, instead of the path in the `servers` of --contract
    #[arg(long, value_name = "PATH", requires = "contract")]
    server_path: Option<String>,
    /// Extension names, error shapes and credential kinds of --contract, in TOML like openapi.settings.toml
    #[arg(long, value_name = "FILE", requires = "contract")]
    settings: Option<PathBuf>,
}

impl Documents {
    /// Whether the contract is that of ringnity-server.
    pub fn are_built_in(&self) -> bool {
        self.contract.is_none()
    }

    /// Reads the documents.
    pub fn read(&self) -> Result<Arc<Contract>> {
        let Some(path) = &self.contract else { return ringnity::contract() };
        let mut contract = inputs::read_file(path)?;
        if let Some(path) = &self.server_path {
            contract["servers"] = serde_json::json!([{ "url": path }]);
        }
        let published = self.published.as_ref().map(|path| inputs::read_file(path)).transpose()?;
        let settings = match &self.settings {
            Some(path) => serde_json::from_value(inputs::read_file(path)?)
                .with_context(|| format!("{} does not contain settings", path.display()))?,
            None => Settings::default(),
        };
        Ok(Arc::new(Contract::new(contract, published, settings)?))
    }
}
