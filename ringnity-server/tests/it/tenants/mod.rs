//! Developer Settings: allowed domains, readiness, Server API keys and OAuth clients.

mod developer_settings;
mod oauth_clients;
mod server_credentials;
