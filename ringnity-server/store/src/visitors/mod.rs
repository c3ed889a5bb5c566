//! Visitors of a tenant's sites and apps, and the profiles in their context tokens.
//!
//! Callers decide whether an identity is verified, that is, asserted by the customer's backend. Verified and claimed
//! identities have separate columns, so that a visitor is never found by a claimed one.

mod devices;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{
    delete,
    dsl::{exists, not},
    insert_into,
    prelude::*,
    update,
};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, on_engine, to_stored_precision},
    ids::{SessionFamilyId, TenantId, VisitorId},
    schema::{device_push_tokens, visitor_contexts, visitors},
};

pub use devices::*;

/// A visitor.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = visitors, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct Visitor {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Visitor id. All sessions of a verified identity have the same.
    pub id: VisitorId,
    /// Verified identity from the customer's backend, unique within the tenant.
    pub external_id: Option<String>,
    /// Identity that the visitor claims, not verified.
    pub claimed_external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Custom attributes of the latest session, as the JSON text of an object.
    pub metadata: String,
    /// Start of the first session.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change to the profile.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
    /// Start of the latest session.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub last_seen_at: DateTime<Utc>,
}

impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visitor")
            .field("tenant_id", &self.tenant_id)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The profile of a visitor. Fields as in [`Visitor`].
#[derive(Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct VisitorProfile {
    pub external_id: Option<String>,
    pub claimed_external_id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// JSON text of an object.
    pub metadata: String,
}

/// The verified profile of a context token.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = visitor_contexts)]
pub struct VisitorContext {
    /// Session of the token.
    pub family_id: SessionFamilyId,
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Verified identity.
    pub external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Custom attributes, as the JSON text of an object.
    pub metadata: String,
}

impl std::fmt::Debug for VisitorContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VisitorContext").field("family_id", &self.family_id).finish_non_exhaustive()
    }
}

/// The tenant's visitor with this id, if any.
pub fn visitor_get(c: &mut Conn, tenant: &TenantId, id: &VisitorId) -> StoreResult<Option<Visitor>> {
    Ok(visitors::table.find((tenant, id)).select(Visitor::as_select()).first(c).optional()?)
}

/// The tenant's visitor with this verified identity, if any.
pub fn visitor_by_external_id(
    c: &mut Conn,
    tenant: &TenantId,
    external_id: &str,
) -> StoreResult<Option<Visitor>> {
    Ok(visitors::table
        .filter(visitors::tenant_id.eq(tenant))
        .filter(visitors::external_id.eq(external_id))
        .select(Visitor::as_select())
        .first(c)
        .optional()?)
}

/// Records the start of a session and returns the visitor: the existing one if the profile has a verified identity that is
/// known, otherwise a new one. Fields that are `None` in the profile keep their value.
pub fn visitor_begin_session(
    c: &mut Conn,
    tenant: &TenantId,
    profile: &VisitorProfile,
    now: DateTime<Utc>,
) -> StoreResult<Visitor> {
    let now = to_stored_precision(now);
    let profile = profile.clone();
    let known = match &profile.external_id {
        Some(external_id) => visitor_by_external_id(c, tenant, external_id)?,
        None => None,
    };
    let Some(mut visitor) = known else {
        let visitor = Visitor {
            tenant_id: tenant.clone(),
            id: VisitorId::generate(),
            external_id: profile.external_id,
            claimed_external_id: profile.claimed_external_id,
            name: profile.name,
            email: profile.email,
            phone: profile.phone,
            metadata: profile.metadata,
            created_at: now,
            updated_at: now,
            last_seen_at: now,
        };
        insert_into(visitors::table).values(visitor.clone()).execute(c)?;
        return Ok(visitor);
    };
    let before = visitor.clone();
    visitor.name = profile.name.or(visitor.name);
    visitor.email = profile.email.or(visitor.email);
    visitor.phone = profile.phone.or(visitor.phone);
    visitor.metadata = profile.metadata;
    if visitor != before {
        visitor.updated_at = now;
    }
    visitor.last_seen_at = now;
    update(visitors::table.find((tenant, &visitor.id))).set(visitor.clone()).execute(c)?;
    Ok(visitor)
}

/// Inserts the profile of a context token. It is deleted with the session.
pub fn visitor_context_insert(
    c: &mut Conn,
    tenant: &TenantId,
    family: &SessionFamilyId,
    profile: &VisitorProfile,
) -> StoreResult<()> {
    let profile = profile.clone();
    let context = VisitorContext {
        family_id: family.clone(),
        tenant_id: tenant.clone(),
        external_id: profile.external_id,
        name: profile.name,
        email: profile.email,
        phone: profile.phone,
        metadata: profile.metadata,
    };
    insert_into(visitor_contexts::table).values(context).execute(c)?;
    Ok(())
}

/// The profile of the tenant's context token with this session, if any.
pub fn visitor_context_get(
    c: &mut Conn,
    tenant: &TenantId,
    family: &SessionFamilyId,
) -> StoreResult<Option<VisitorContext>> {
    Ok(visitor_contexts::table
        .find(family)
        .filter(visitor_contexts::tenant_id.eq(tenant))
        .select(VisitorContext::as_select())
        .first(c)
        .optional()?)
}

/// Position in a scan for expired visitors.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitorCursor {
    last_seen_at: DateTime<Utc>,
    tenant: TenantId,
    id: VisitorId,
}

/// One page of a scan for expired visitors.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpiredVisitors {
    /// Visitors that can be deleted.
    pub found: Vec<(TenantId, VisitorId)>,
    /// Start of the next page; `None` at the end.
    pub next: Option<VisitorCursor>,
}

/// Whether a visitor has an enabled device.
macro_rules! has_device {
    () => {
        exists(
            device_push_tokens::table
                .filter(device_push_tokens::tenant_id.eq(visitors::tenant_id))
                .filter(device_push_tokens::subject_kind.eq("visitor"))
                .filter(device_push_tokens::subject_id.eq(visitors::id))
                .filter(device_push_tokens::enabled.eq(true)),
        )
    };
}

/// Scans unverified visitors last seen at `last_seen` or before, at most `limit`, for those without an enabled device.
/// Their sessions have expired, so none of them can come back.
///
/// Visitors with a device are kept. The scan continues after `after`, so that each is read once however many there are.
pub fn visitor_list_expired(
    c: &mut Conn,
    last_seen: DateTime<Utc>,
    after: Option<&VisitorCursor>,
    limit: i64,
) -> StoreResult<ExpiredVisitors> {
    let mut ended = visitors::table
        .filter(visitors::last_seen_at.le(DbTimestamp::from(last_seen)))
        .filter(visitors::external_id.is_null())
        .into_boxed();
    if let Some(cursor) = after {
        let at = DbTimestamp(cursor.last_seen_at);
        let further = visitors::tenant_id.eq(&cursor.tenant).and(visitors::id.gt(&cursor.id));
        let further = visitors::tenant_id.gt(&cursor.tenant).or(further);
        // Redundant, but makes the database start in the index at this position.
        ended = ended.filter(visitors::last_seen_at.ge(at)).filter(visitors::last_seen_at.gt(at).or(further));
    }
    let limit = limit.max(0);
    let seen: Vec<(TenantId, VisitorId, DbTimestamp, bool)> = ended
        .order((visitors::last_seen_at.asc(), visitors::tenant_id.asc(), visitors::id.asc()))
        .limit(limit)
        .select((visitors::tenant_id, visitors::id, visitors::last_seen_at, has_device!()))
        .load(c)?;
    let full = i64::try_from(seen.len()).unwrap_or(i64::MAX) >= limit;
    let next = seen.last().filter(|_| full).map(|(tenant, id, at, _)| VisitorCursor {
        last_seen_at: at.0,
        tenant: tenant.clone(),
        id: id.clone(),
    });
    let found = seen.into_iter().filter(|(.., kept)| !kept).map(|(tenant, id, ..)| (tenant, id)).collect();
    Ok(ExpiredVisitors { found, next })
}

/// Deletes those of the visitors that still meet the conditions of [`visitor_list_expired`]. Returns how many.
pub fn visitor_delete_expired(
    c: &mut Conn,
    last_seen: DateTime<Utc>,
    found: &[(TenantId, VisitorId)],
) -> StoreResult<usize> {
    let mut by_tenant: BTreeMap<&TenantId, Vec<&VisitorId>> = BTreeMap::new();
    for (tenant, id) in found {
        by_tenant.entry(tenant).or_default().push(id);
    }
    let mut gone = 0;
    for (tenant, ids) in by_tenant {
        let ended = visitors::table
            .filter(visitors::tenant_id.eq(tenant))
            .filter(visitors::last_seen_at.le(DbTimestamp::from(last_seen)))
            .filter(visitors::external_id.is_null())
            .filter(not(has_device!()));
        gone += on_engine!(c, c => delete(ended.filter(visitors::id.eq_any(&ids))).execute(c))?;
    }
    Ok(gone)
}
