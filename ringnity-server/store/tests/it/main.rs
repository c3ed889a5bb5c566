//! The store against real databases: every test on SQLite, and on PostgreSQL where `RINGNITY_TEST_DATABASE_URL`
//! names a server.

mod contacts;
mod engine;
mod events;
mod idempotency;
mod identity;
mod jobs;
mod maintenance;
mod resources;
mod support;
mod tenancy;
mod visitors;
