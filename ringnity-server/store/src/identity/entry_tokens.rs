//! Workspace entry tokens, with which an owner enters the workspace. Each works once. Callers pass token hashes.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, on_engine, to_stored_precision},
    ids::{OwnerId, SessionFamilyId, TenantId},
    schema::workspace_entry_tokens,
};

/// An entry token.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = workspace_entry_tokens)]
pub struct EntryToken {
    /// Tenant of the workspace.
    pub tenant_id: TenantId,
    /// Owner that enters.
    pub owner_id: OwnerId,
    /// The owner's session that requested the token.
    pub session_id: SessionFamilyId,
    /// Expiry.
    #[diesel(deserialize_as = DbTimestamp)]
    pub expires_at: DateTime<Utc>,
}

/// Inserts a token that the owner requested in `session`.
pub fn entry_token_insert(
    c: &mut Conn,
    tenant: &TenantId,
    owner: &OwnerId,
    session: &SessionFamilyId,
    token_hash: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<EntryToken> {
    let expires_at = to_stored_precision(expires_at);
    insert_into(workspace_entry_tokens::table)
        .values((
            workspace_entry_tokens::token_hash.eq(token_hash),
            workspace_entry_tokens::tenant_id.eq(tenant),
            workspace_entry_tokens::owner_id.eq(owner),
            workspace_entry_tokens::session_id.eq(session),
            workspace_entry_tokens::created_at.eq(DbTimestamp::from(now)),
            workspace_entry_tokens::expires_at.eq(DbTimestamp(expires_at)),
        ))
        .execute(c)?;
    Ok(EntryToken {
        tenant_id: tenant.clone(),
        owner_id: owner.clone(),
        session_id: session.clone(),
        expires_at,
    })
}

/// Consumes a token. `None` if it is unknown, used or expired. Of several concurrent calls only one succeeds. Takes no tenant: the caller finds the tenant by it.
pub fn entry_token_use(
    c: &mut Conn,
    token_hash: &str,
    now: DateTime<Utc>,
) -> StoreResult<Option<EntryToken>> {
    let used = update(workspace_entry_tokens::table.find(token_hash))
        .filter(workspace_entry_tokens::used_at.is_null())
        .filter(workspace_entry_tokens::expires_at.gt(DbTimestamp::from(now)))
        .set(workspace_entry_tokens::used_at.eq(DbTimestamp::from(now)))
        .execute(c)?;
    if used == 0 {
        return Ok(None);
    }
    Ok(workspace_entry_tokens::table.find(token_hash).select(EntryToken::as_select()).first(c).optional()?)
}

/// Deletes expired tokens, at most `limit`. Returns how many.
pub fn entry_token_delete_expired(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let old: Vec<String> = workspace_entry_tokens::table
        .filter(workspace_entry_tokens::expires_at.le(DbTimestamp::from(now)))
        .order(workspace_entry_tokens::expires_at.asc())
        .limit(limit.max(0))
        .select(workspace_entry_tokens::token_hash)
        .load(c)?;
    Ok(on_engine!(c, c => delete(
        workspace_entry_tokens::table.filter(workspace_entry_tokens::token_hash.eq_any(&old))
    )
    .execute(c))?)
}
