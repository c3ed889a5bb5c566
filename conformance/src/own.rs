//! The contract, settings and flows that this crate was built with: those of ringnity-server. The only place here
//! that names a contract; everything else is given one.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::contract::Contract;
use crate::flows::Flows;

/// The effective contract, the published one behind it, and the settings of both.
pub fn contract() -> Result<Arc<Contract>> {
    let effective = serde_json::from_str(ringnity_api::CONTRACT).context("the contract")?;
    let published = serde_json::from_str(include_str!("../../openapi.json")).context("openapi.json")?;
    let settings =
        toml::from_str(include_str!("../../openapi.settings.toml")).context("openapi.settings.toml")?;
    Ok(Arc::new(Contract::new(effective, Some(published), settings)?))
}

/// The flows for it.
pub fn flows(contract: &Contract) -> Result<Flows> {
    let document =
        serde_json::from_str(include_str!("../flows/ringnity.arazzo.json")).context("the flows")?;
    Flows::new(document, contract)
}
