//! The outbox: events, written in the transaction of the change. Consumers (realtime, webhooks, push, reports) read them
//! and deliver outside the transaction.
//!
//! On SQLite the sequence is in commit order. On PostgreSQL sequences are assigned before the commit, so an event may
//! become visible after one with a higher sequence. A consumer that must see every event once reads with
//! [`event_list_ready`], not from the highest sequence it has seen.

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, insert_into, prelude::*, select, sql_types::BigInt, update};

pub use crate::engine::EventPosition;
use crate::{
    engine::{Conn, DbTimestamp, StoreResult},
    ids::{EventId, TenantId},
    schema::events,
};

/// Stored event names. Never change the meaning of one. Consumers map them to their own names; webhooks use those of the
/// contract. Reserved for later:
///
/// `chat.message.created|updated|deleted|delivered|read`, `conversation.created|updated|assigned|closed`,
/// `call.ringing|answered|ended|missed|failed`, `agent.presence.updated`, `queue.updated`, `ai.message.completed`,
/// `ai.handoff.requested`, `ticket.created|updated`, `report.summary.updated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventName {
    /// A contact was created.
    ContactCreated,
    /// A contact was updated.
    ContactUpdated,
    /// A contact was deleted.
    ContactDeleted,
}

impl EventName {
    /// The name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventName::ContactCreated => "contact.created",
            EventName::ContactUpdated => "contact.updated",
            EventName::ContactDeleted => "contact.deleted",
        }
    }
}

/// An event of a tenant.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = events)]
pub struct Event {
    /// Sequence number, assigned by the database.
    pub sequence: i64,
    /// Event id, the same in every delivery.
    pub id: EventId,
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Text of an [`EventName`].
    pub name: String,
    /// Id of the resource that the event is about, if it is about one.
    pub subject: Option<String>,
    /// Payload as JSON text. Contains only the id if the subject has been deleted since.
    pub payload: String,
    /// Time of the event.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
}

/// Appends an event. `subject` is the id of the resource. `payload` is JSON text and may only contain data of that
/// resource, so that [`event_redact`] finds all of it.
pub fn event_append(
    c: &mut Conn,
    tenant: &TenantId,
    name: EventName,
    subject: Option<&str>,
    payload: &str,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    insert_into(events::table)
        .values((
            events::id.eq(EventId::generate()),
            events::tenant_id.eq(tenant),
            events::name.eq(name.as_str()),
            events::subject.eq(subject),
            events::payload.eq(payload),
            events::created_at.eq(DbTimestamp::from(now)),
        ))
        .execute(c)?;
    Ok(())
}

/// Replaces the payloads of all events of a subject, which is deleted in the same transaction, by `payload`. Names, times
/// and order stay, for consumers that have not read the events yet and for reports. Returns how many events.
pub fn event_redact(c: &mut Conn, tenant: &TenantId, subject: &str, payload: &str) -> StoreResult<usize> {
    Ok(update(events::table)
        .filter(events::tenant_id.eq(tenant))
        .filter(events::subject.eq(subject))
        .set(events::payload.eq(payload))
        .execute(c)?)
}

/// Events of all tenants after a position, in order, at most `limit`, each with its position. Takes no tenant: it is for
/// jobs, which process all tenants.
///
/// Returns only events before which no other can appear: on PostgreSQL, those of transactions older than every running
/// one. A consumer that stores the last position and continues from it sees every event once.
pub fn event_list_ready(
    c: &mut Conn,
    after: EventPosition,
    limit: i64,
) -> StoreResult<Vec<(EventPosition, Event)>> {
    // Read in the same snapshot as the events.
    let running: i64 = match c {
        Conn::Postgres(c) => {
            select(sql::<BigInt>("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).get_result(c)?
        }
        Conn::Sqlite(_) => i64::MAX,
    };
    let further = events::transaction_id.gt(after.transaction_id).or(events::sequence.gt(after.sequence));
    let rows: Vec<(i64, Event)> = events::table
        .filter(events::transaction_id.ge(after.transaction_id))
        .filter(further)
        .filter(events::transaction_id.lt(running))
        .order((events::transaction_id.asc(), events::sequence.asc()))
        .limit(limit.max(0))
        .select((events::transaction_id, Event::as_select()))
        .load(c)?;
    let with_position = |(transaction_id, event): (i64, Event)| {
        (EventPosition { transaction_id, sequence: event.sequence }, event)
    };
    Ok(rows.into_iter().map(with_position).collect())
}

/// Time of the tenant's newest event; `None` if there is none.
pub fn event_last_at(c: &mut Conn, tenant: &TenantId) -> StoreResult<Option<DateTime<Utc>>> {
    let last: Option<DbTimestamp> = events::table
        .filter(events::tenant_id.eq(tenant))
        .order(events::created_at.desc())
        .select(events::created_at)
        .first(c)
        .optional()?;
    Ok(last.map(DateTime::from))
}
