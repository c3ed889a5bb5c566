//! `diff`: the static half, two documents side by side.

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
    /// OpenAPI document in JSON to compare with, instead of the contract that the server was generated from
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// OpenAPI document in JSON that a server gave. With the feature static-diff it may be left out: the default is what
    /// the generated trait of ringnity-server describes
    #[arg(long, value_name = "FILE", required = !cfg!(feature = "static-diff"))]
    description: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Compares, and answers whether there are no differences.
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

/// What dropshot says of the generated trait, and its routes.
#[cfg(feature = "static-diff")]
fn described() -> Result<(Value, Routes)> {
    let description = ringnity_api::described()
        .map_err(|error| anyhow::anyhow!("the trait cannot be described: {error}"))?;
    let version = semver::Version::new(0, 0, 0);
    let document =
        description.openapi("description", version).json().context("the description of the trait")?;
    Ok((document, ringnity_api::routes()))
}

#[cfg(not(feature = "static-diff"))]
fn described() -> Result<(Value, Routes)> {
    anyhow::bail!("name a document with --description, or build with --features static-diff")
}
