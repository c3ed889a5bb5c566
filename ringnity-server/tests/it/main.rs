//! Tests of the running server over a real socket, in one folder per area. Each runs on SQLite, and on PostgreSQL
//! where `RINGNITY_TEST_DATABASE_URL` names a server. Every response is checked against the contract: one that
//! breaks it becomes a 500, and `Answer` refuses those.

mod support;

mod cli;
mod contacts;
mod contract;
mod http;
mod identity;
mod jobs;
mod reliability;
mod security;
mod tenants;
mod visitors;
