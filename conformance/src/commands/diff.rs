//! The command `diff`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use conformance::diff::compare;
use conformance::inputs::read_file;
use conformance::ringnity;
use serde_json::Value;

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// OpenAPI document in JSON to compare with [default: the contract of ringnity-server]
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// OpenAPI document in JSON that the server serves about itself. Optional with the feature static-diff, which
    /// compiles in the description of the generated trait of ringnity-server
    #[arg(long, value_name = "FILE", required = !cfg!(feature = "static-diff"))]
    description: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Compares the documents. Returns whether they agree.
    pub fn run(&self) -> Result<bool> {
        let contract = match &self.contract {
            Some(path) => read_file(path)?,
            None => serde_json::from_str(ringnity::CONTRACT).context("the contract of the server")?,
        };
        let (description, routes) = match &self.description {
            Some(path) => (read_file(path)?, [].as_slice()),
            None => described()?,
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

type Routes = &'static [(&'static str, &'static str)];

/// Returns dropshot's description of the generated trait, and its routes.
#[cfg(feature = "static-diff")]
fn described() -> Result<(Value, Routes)> {
    let description = ringnity_api::stub_api_description()
        .map_err(|error| anyhow::anyhow!("cannot describe the trait: {error}"))?;
    let version = semver::Version::new(0, 0, 0);
    let document =
        description.openapi("description", version).json().context("the description of the trait")?;
    Ok((document, ringnity_api::routes()))
}

#[cfg(not(feature = "static-diff"))]
fn described() -> Result<(Value, Routes)> {
    anyhow::bail!("pass --description, or build with --features static-diff")
}
