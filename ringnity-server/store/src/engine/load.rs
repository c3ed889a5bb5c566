//! How a store is doing, for those who run it. No query of anybody's rows.

use diesel::{RunQueryDsl as _, dsl::sql, select, sql_types::Integer};

use crate::{Store, StoreError};

/// How busy a store is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections that may be used at once; SQLite's writer has one more.
    pub connections: u64,
    /// Connections that are in use.
    pub in_use: u64,
    /// Writes in the queue of SQLite's writer; elsewhere none.
    pub writes_waiting: u64,
}

impl Store {
    /// Asks the database for an answer of no interest. An error means that it cannot be used now.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.read(|c| {
            select(sql::<Integer>("1")).execute(c)?;
            Ok(())
        })
        .await
    }
}
