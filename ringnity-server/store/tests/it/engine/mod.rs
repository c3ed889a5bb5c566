//! Connections, transactions and migrations.

mod crash;
mod durability;
mod migrations;
mod outage;
mod reads;
mod schema;
mod tls;
mod writes;
