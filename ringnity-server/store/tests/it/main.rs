//! The store against real databases: every test on SQLite, and on PostgreSQL where `RINGNITY_TEST_DATABASE_URL`
//! names a server.

mod contacts;
mod crash;
mod durability;
mod jobs;
mod migrations;
mod outage;
mod outbox;
mod reading;
mod repeats;
mod resources;
mod schema;
mod sign_in;
mod support;
mod tenancy;
mod tls;
mod upkeep;
mod visitors;
mod writing;
