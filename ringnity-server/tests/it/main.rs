//! Tests of the running server over a real socket, one file per tag of the contract. Each runs on SQLite, and
//! on PostgreSQL where `RINGNITY_TEST_DATABASE_URL` names a server. Every answer passes the contract's checks
//! on its way: one that breaks it becomes a 500, and `Answer` refuses those.

mod node;
mod support;

mod conformance;
mod contract;
mod dashboard_auth;
mod developer_settings;
mod devices;
mod durability;
mod expiry;
mod input;
mod jobs;
mod leases;
mod limits;
mod listeners;
mod oauth_clients;
mod operator;
mod pages;
mod platform_administration;
mod reliability;
mod repeats;
mod runtime_bootstrap;
mod runtime_sessions;
mod schema;
mod sdk_tokens;
mod searches;
mod security;
mod server_api;
mod server_credentials;
mod start;
