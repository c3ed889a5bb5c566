//! The generator and the checks behind `cargo xtask`, one module per pipeline step or command.
//!
//! Only `tidy`, `status` and `bench` depend on this repository. Everything else works for any OpenAPI document; what is
//! particular to a contract is in its settings file.

pub mod bench;
mod catch_panic;
mod dialect;
pub mod diff;
pub mod emit;
pub mod generate;
pub mod ledger;
pub mod lint;
pub mod lock;
pub mod lower;
pub mod model;
pub mod name;
pub mod output;
mod overlay;
pub mod source;
pub mod status;
pub mod tidy;
mod walk;
pub mod workspace_scaffold;
