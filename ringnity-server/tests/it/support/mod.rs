//! What tests share: servers, fixtures, requests and checked answers.

mod answer;
pub mod fake_google;
pub mod fixtures;
pub mod node;
mod poll;
mod server;
mod snapshot;

pub use answer::{Answer, Request};
pub use poll::until;
pub use server::{TestServer, on_each_engine};
pub(crate) use snapshot::assert_data;
pub use snapshot::redact;
