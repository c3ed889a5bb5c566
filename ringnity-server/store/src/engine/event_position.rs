//! Positions in the outbox, in terms of PostgreSQL's transaction ids, and their renumbering after a restore.

use diesel::{
    OptionalExtension as _, PgConnection, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Text},
};

use crate::engine::error::{StoreError, StoreResult};

/// A position in the outbox: all events up to it have been read.
///
/// Positions are ordered by transaction id, then by sequence. A transaction may take a low sequence and commit late,
/// but once all transactions up to an id have ended, no event can appear below that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    pub(crate) transaction_id: i64,
    pub(crate) sequence: i64,
}

/// Members of the JSON object that a position is stored as.
const TRANSACTION: &str = "transaction";
const SEQUENCE: &str = "sequence";

impl EventPosition {
    /// Before the first event.
    pub const START: EventPosition = EventPosition { transaction_id: i64::MIN, sequence: 0 };

    /// The position as JSON text, for the payload of a job.
    pub fn to_payload(self) -> String {
        serde_json::json!({ TRANSACTION: self.transaction_id, SEQUENCE: self.sequence }).to_string()
    }

    /// Parses the payload of a job. An empty object is [`EventPosition::START`]; anything else that is not a position
    /// is [`StoreError::Corrupt`].
    pub fn from_payload(payload: &str) -> StoreResult<EventPosition> {
        let value: serde_json::Value =
            serde_json::from_str(payload).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        if value.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(EventPosition::START);
        }
        let number = |name: &str| value.get(name).and_then(serde_json::Value::as_i64);
        match (number(TRANSACTION), number(SEQUENCE)) {
            (Some(transaction_id), Some(sequence)) => Ok(EventPosition { transaction_id, sequence }),
            _ => Err(StoreError::Corrupt(format!("not a position in the outbox: {payload}").into())),
        }
    }
}

/// Adapts events and stored positions to the PostgreSQL server that the database is on.
///
/// A database that was dumped and restored on another server has transaction ids which that server has not reached:
/// its events would not be read until then, and new events would sort before the positions that readers have stored.
/// This moves all of them below zero and keeps their order. It runs when a store opens, under the migration lock.
pub(crate) fn renumber_restored_events(c: &mut PgConnection) -> StoreResult<()> {
    #[derive(QueryableByName)]
    struct Newest {
        #[diesel(sql_type = BigInt)]
        transaction_id: i64,
    }
    #[derive(QueryableByName)]
    struct JobPayload {
        #[diesel(sql_type = Text)]
        id: String,
        #[diesel(sql_type = Text)]
        payload: String,
    }

    // One statement has one snapshot: every row that it sees was written before anything that is to come.
    let newest = "SELECT transaction_id FROM events \
         WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint \
         ORDER BY transaction_id DESC LIMIT 1";
    let Some(newest) = sql_query(newest).get_result::<Newest>(c).optional()? else { return Ok(()) };
    let offset = newest.transaction_id + 1;
    sql_query("UPDATE events SET transaction_id = transaction_id - $1")
        .bind::<BigInt, _>(offset)
        .execute(c)?;
    let jobs: Vec<JobPayload> = sql_query("SELECT id, payload FROM jobs WHERE payload LIKE $1")
        .bind::<Text, _>(format!("%\"{TRANSACTION}\":%"))
        .load(c)?;
    for JobPayload { id, payload } in jobs {
        // Payloads of other kinds of jobs may have a member of that name.
        let Ok(position) = EventPosition::from_payload(&payload) else { continue };
        let transaction_id = position.transaction_id.saturating_sub(offset);
        let position = EventPosition { transaction_id, ..position };
        sql_query("UPDATE jobs SET payload = $1 WHERE id = $2")
            .bind::<Text, _>(position.to_payload())
            .bind::<Text, _>(id)
            .execute(c)?;
    }
    tracing::info!("the database was restored from another PostgreSQL server: its events were renumbered");
    Ok(())
}
