//! Requests and responses of the client, against a mock server in the same process.

mod every_operation;
mod responses;
#[rustfmt::skip]
mod generated;
mod mock_server;
mod requests;
