//! The commands: what is read from the command line, and what is printed.

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

/// The contract that is judged by.
#[derive(Debug, Args)]
pub struct Documents {
    /// OpenAPI document in JSON, instead of the contract that ringnity-server is built from
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// The same contract before corrections: answers are judged by it, too
    #[arg(long, value_name = "FILE", requires = "contract")]
    published: Option<PathBuf>,
    /// Path of the server under which the paths of --contract stand, instead of that of its `servers`
    #[arg(long, value_name = "PATH", requires = "contract")]
    server_path: Option<String>,
    /// Names of extensions, error shapes and kinds of credential of --contract, as openapi.settings.toml has them
    #[arg(long, value_name = "FILE", requires = "contract")]
    settings: Option<PathBuf>,
}

impl Documents {
    /// Whether they are those of ringnity-server.
    pub fn are_built_in(&self) -> bool {
        self.contract.is_none()
    }

    /// Reads them.
    pub fn read(&self) -> Result<Arc<Contract>> {
        let Some(path) = &self.contract else { return ringnity::contract() };
        let mut contract = inputs::read_file(path)?;
        if let Some(path) = &self.server_path {
            contract["servers"] = serde_json::json!([{ "url": path }]);
        }
        let published = self.published.as_ref().map(|path| inputs::read_file(path)).transpose()?;
        let settings = match &self.settings {
            Some(path) => serde_json::from_value(inputs::read_file(path)?)
                .with_context(|| format!("{} holds no settings", path.display()))?,
            None => Settings::default(),
        };
        Ok(Arc::new(Contract::new(contract, published, settings)?))
    }
}
