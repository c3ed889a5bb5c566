//! `diff`: the static half, two documents side by side.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use conformance::diff::compare;
use conformance::inputs::read;
use serde_json::Value;

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// OpenAPI document in JSON to compare with, instead of the contract that the server was generated from
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// OpenAPI document in JSON that a server gave, instead of what the generated trait describes
    #[arg(long, value_name = "FILE")]
    description: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Compares, and answers whether there are no differences.
    pub fn run(&self) -> Result<bool> {
        let contract = match &self.contract {
            Some(path) => read(path)?,
            None => serde_json::from_str(ringnity_api::CONTRACT).context("the contract of the server")?,
        };
        let (description, routes) = match &self.description {
            Some(path) => (read(path)?, [].as_slice()),
            None => (described()?, ringnity_api::routes()),
        };
        let comparison = compare(&contract, &description, routes)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&comparison)?);
            return Ok(comparison.differences.is_empty());
        }
        for difference in &comparison.differences {
            println!("{difference}");
        }
        println!(
            "{} operations compared, {} reached through a variable path, {} differences",
            comparison.compared,
            comparison.dispatched.len(),
            comparison.differences.len()
        );
        Ok(comparison.differences.is_empty())
    }
}

/// What dropshot says of the generated trait.
fn described() -> Result<Value> {
    let description =
        ringnity_api::described().map_err(|error| anyhow!("the trait cannot be described: {error}"))?;
    let version = semver::Version::new(0, 0, 0);
    description.openapi("description", version).json().context("the description of the trait")
}
