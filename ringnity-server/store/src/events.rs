//! The outbox: what happened, written in the transaction in which it happened. Whatever tells the world
//! (realtime, webhooks, push, reports) reads it from here and sends from outside the transaction.
//!
//! On SQLite the sequence is the order of commits. On PostgreSQL numbers are handed out before the commit, so
//! an event may appear after one with a higher number: a reader must not take the highest number it saw for a
//! promise that all lower ones are there.

use chrono::{DateTime, Utc};
use diesel::{insert_into, prelude::*};

use crate::{
    conn::Conn,
    error::StoreResult,
    ids::{EventId, TenantId},
    schema::events,
    types::{Stamp, to_stored_precision},
};

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
    /// `contact.created` and so on.
    pub name: String,
    /// What happened, as JSON text.
    pub payload: String,
    /// When it happened.
    #[diesel(deserialize_as = Stamp)]
    pub created_at: DateTime<Utc>,
}

/// Notes what happened. `payload` is JSON text.
pub fn event_append(
    c: &mut Conn,
    tenant: &TenantId,
    name: &str,
    payload: &str,
    now: DateTime<Utc>,
) -> StoreResult<Event> {
    let created_at = to_stored_precision(now);
    let id = EventId::generate();
    let sequence = insert_into(events::table)
        .values((
            events::id.eq(&id),
            events::tenant_id.eq(tenant),
            events::name.eq(name),
            events::payload.eq(payload),
            events::created_at.eq(Stamp(created_at)),
        ))
        .returning(events::sequence)
        .get_result(c)?;
    Ok(Event {
        sequence,
        id,
        tenant_id: tenant.clone(),
        name: name.to_owned(),
        payload: payload.to_owned(),
        created_at,
    })
}

/// The tenant's events after that sequence, in order, at most `limit` of them.
pub fn event_list_after(
    c: &mut Conn,
    tenant: &TenantId,
    sequence: i64,
    limit: i64,
) -> StoreResult<Vec<Event>> {
    Ok(events::table
        .filter(events::tenant_id.eq(tenant))
        .filter(events::sequence.gt(sequence))
        .order(events::sequence.asc())
        .limit(limit.max(0))
        .select(Event::as_select())
        .load(c)?)
}

/// When the tenant's newest event was.
pub fn event_last_at(c: &mut Conn, tenant: &TenantId) -> StoreResult<Option<DateTime<Utc>>> {
    let last: Option<Stamp> = events::table
        .filter(events::tenant_id.eq(tenant))
        .order(events::sequence.desc())
        .select(events::created_at)
        .first(c)
        .optional()?;
    Ok(last.map(DateTime::from))
}
