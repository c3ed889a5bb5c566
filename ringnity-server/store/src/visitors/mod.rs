//! Visitors of a tenant's sites and apps, and what context tokens vouch for. Whether an identity is vouched for is
//! decided by whoever calls; here it is a column of its own, so that nobody is found by what they merely say.

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
    /// Whose visitor.
    pub tenant_id: TenantId,
    /// Its id; the same over all sessions of one vouched-for identity.
    pub id: VisitorId,
    /// The identity that the customer's backend vouches for. Unique within the tenant.
    pub external_id: Option<String>,
    /// The identity that the visitor merely says it has.
    pub claimed_external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Free members of the latest session, as JSON text.
    pub metadata: String,
    /// When it first came.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When what is known of it last changed.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
    /// When it last began a session.
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

/// What is said of a visitor; see [`Visitor`] for the fields.
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

/// What a context token vouches for.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = visitor_contexts)]
pub struct VisitorContext {
    /// The session that the token stands for.
    pub family_id: SessionFamilyId,
    /// Whose visitor.
    pub tenant_id: TenantId,
    /// The identity.
    pub external_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Free members, as JSON text.
    pub metadata: String,
}

impl std::fmt::Debug for VisitorContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VisitorContext").field("family_id", &self.family_id).finish_non_exhaustive()
    }
}

/// One of the tenant's visitors.
pub fn visitor_get(c: &mut Conn, tenant: &TenantId, id: &VisitorId) -> StoreResult<Option<Visitor>> {
    Ok(visitors::table.find((tenant, id)).select(Visitor::as_select()).first(c).optional()?)
}

/// The tenant's visitor with that vouched-for identity.
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

/// A visitor begins a session: the known one when its identity is vouched for and known, else a new one. What the
/// profile leaves out stays as it was.
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

/// Keeps what a context token vouches for, as long as its session is kept.
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

/// What the tenant's context token with that session vouches for.
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

/// How far a look for visitors whose time is over has come.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitorCursor {
    last_seen_at: DateTime<Utc>,
    tenant: TenantId,
    id: VisitorId,
}

/// What a look for visitors whose time is over found.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpiredVisitors {
    /// Those who can be forgotten.
    pub found: Vec<(TenantId, VisitorId)>,
    /// Where the next look begins; `None` where there is nobody left to look at.
    pub next: Option<VisitorCursor>,
}

/// Whether a visitor has a device that is told of anything.
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

/// Looks at visitors whom nobody vouched for and who were last seen then or before, at most `limit` of them, for those
/// who have no device that is told of anything. Nobody can come back as one of them: their sessions are over.
///
/// Those who have one stay, be they ever so many, so a look begins where the one before ended: each is looked at once.
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
    if let Some(place) = after {
        let at = DbTimestamp(place.last_seen_at);
        let further = visitors::tenant_id.eq(&place.tenant).and(visitors::id.gt(&place.id));
        let further = visitors::tenant_id.gt(&place.tenant).or(further);
        // Said twice, so that the index is entered at the place.
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

/// Forgets those visitors of whom it is still true what [`visitor_list_expired`] found; says how many.
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
