//! The Ringnity server as a library, so that tests start the very thing that runs.

pub mod auth;
pub mod clock;
