//! Load and health of a store, for operators.

use diesel::{RunQueryDsl as _, dsl::sql, select, sql_types::Integer};

use crate::{Store, StoreError};

/// How busy a store is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Size of the pool. SQLite's writer has one more connection.
    pub connections: u64,
    /// Connections in use.
    pub in_use: u64,
    /// Writes queued for SQLite's writer thread; 0 on PostgreSQL.
    pub writes_waiting: u64,
}

impl Store {
    /// Runs a trivial query. An error means that the database cannot be used now.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.read(|c| {
            select(sql::<Integer>("1")).execute(c)?;
            Ok(())
        })
        .await
    }
}
