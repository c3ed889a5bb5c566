//! Contacts of the Server API.

mod search;
mod server_api;
