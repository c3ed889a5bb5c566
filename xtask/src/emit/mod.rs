//! Emitters: each turns the model into the files of one crate and knows nothing of the others.

use crate::model::Contract;

pub mod api;
pub mod client;
pub mod prose;
pub mod types;

/// Where the server trait's generated files go, below the output root.
pub fn api_folder(contract: &Contract) -> String {
    format!("{}-server/api/src/generated", contract.prefix())
}
