//! The outbox: what happened, written in the transaction in which it happened. Whatever tells the world
//! (realtime, webhooks, push, reports) reads it from here and sends from outside the transaction.
//!
//! On SQLite the sequence is the order of commits. On PostgreSQL numbers are handed out before the commit, so
//! an event may appear after one with a higher number: a reader must not take the highest number it saw for a
//! promise that all lower ones are there. Whoever has to see every event once reads with [`event_list_ready`].

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, insert_into, prelude::*, select, sql_types::BigInt, update};

pub use crate::engine::EventPosition;
use crate::{
    engine::{Conn, DbTimestamp, StoreResult},
    ids::{EventId, TenantId},
    schema::events,
};

/// What can happen, by the names that are stored. They stay, so one is never given another meaning. Whoever tells others
/// has names of its own for them: webhooks those that the contract publishes. Those of what no rule does yet:
///
/// `chat.message.created|updated|deleted|delivered|read`, `conversation.created|updated|assigned|closed`,
/// `call.ringing|answered|ended|missed|failed`, `agent.presence.updated`, `queue.updated`, `ai.message.completed`,
/// `ai.handoff.requested`, `ticket.created|updated`, `report.summary.updated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventName {
    /// A contact was made.
    ContactCreated,
    /// A contact was changed.
    ContactUpdated,
    /// A contact was deleted for good.
    ContactDeleted,
}

impl EventName {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventName::ContactCreated => "contact.created",
            EventName::ContactUpdated => "contact.updated",
            EventName::ContactDeleted => "contact.deleted",
        }
    }
}

/// Something that happened to a tenant.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = events)]
pub struct Event {
    /// Place in the order of things.
    pub sequence: i64,
    /// Its id: the same in every telling of it.
    pub id: EventId,
    /// To whom it happened.
    pub tenant_id: TenantId,
    /// The text of an [`EventName`].
    pub name: String,
    /// The id of what it is about, if it is about one thing.
    pub subject: Option<String>,
    /// What happened, as JSON text; of a subject that was deleted since, no more than its id.
    pub payload: String,
    /// When it happened.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
}

/// Notes what happened. `subject` is the id of what it is about; `payload`, JSON text, may only tell of that, so that
/// [`event_redact`] finds it.
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

/// Forgets what the tenant's events tell of a subject that is deleted in this transaction: `payload` takes the place of
/// what they told. The events stay, with names, times and order, for readers that have not come to them and for reports.
/// Says how many they were.
pub fn event_redact(c: &mut Conn, tenant: &TenantId, subject: &str, payload: &str) -> StoreResult<usize> {
    Ok(update(events::table)
        .filter(events::tenant_id.eq(tenant))
        .filter(events::subject.eq(subject))
        .set(events::payload.eq(payload))
        .execute(c)?)
}

/// The events of all tenants after that position, in order, at most `limit` of them, each with its position.
///
/// Only those that nothing can come before any more: on PostgreSQL, of transactions older than any that still runs.
/// So who keeps the last position, and goes on from it, sees every event once. Takes no tenant, for it is there for
/// jobs, which work for all; what is made of an event is its tenant's.
pub fn event_list_ready(
    c: &mut Conn,
    after: EventPosition,
    limit: i64,
) -> StoreResult<Vec<(EventPosition, Event)>> {
    // Of the same snapshot that the events are read in: nothing ends in between.
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

/// When the tenant's newest event was.
pub fn event_last_at(c: &mut Conn, tenant: &TenantId) -> StoreResult<Option<DateTime<Utc>>> {
    let last: Option<DbTimestamp> = events::table
        .filter(events::tenant_id.eq(tenant))
        .order(events::created_at.desc())
        .select(events::created_at)
        .first(c)
        .optional()?;
    Ok(last.map(DateTime::from))
}
