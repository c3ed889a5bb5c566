//! Devices that receive push notifications. The push token is a secret, but must be stored in plain text because the push
//! service needs it. Debug output omits it, and disabling the device deletes it.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, to_stored_precision},
    ids::{DevicePushTokenId, TenantId},
    schema::device_push_tokens,
};

/// A device registered with a push service.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = device_push_tokens, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct DevicePushToken {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Device row id.
    pub id: DevicePushTokenId,
    /// Kind of the subject that registered it last: `visitor`, `agent` or `admin`.
    pub subject_kind: String,
    /// Id of that subject, for whom the notifications are.
    pub subject_id: String,
    /// Platform, such as `android` or `ios`.
    pub platform: String,
    /// Push service.
    pub provider: String,
    /// Token of the push service; `None` while the device is disabled.
    pub token: Option<String>,
    /// Hash of the token, unique within tenant and provider.
    pub token_hash: String,
    /// Device id chosen by the app, unique within tenant and provider.
    pub device_id: Option<String>,
    /// App id.
    pub app_id: Option<String>,
    /// Audience: `visitor`, `customer`, `agent` or `admin`.
    pub audience: String,
    /// External id of the person. Verified for visitors. For staff it is a claim of the app and must not be used as a
    /// recipient.
    pub external_id: Option<String>,
    /// Agent id, for an agent's device.
    pub agent_id: Option<String>,
    /// How incoming calls are signalled.
    pub call_mode: String,
    /// Custom attributes, as the JSON text of an object.
    pub metadata: String,
    /// Whether notifications may be sent to it.
    pub enabled: bool,
    /// Time of the first registration.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
    /// Time of the last registration.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub last_seen_at: DateTime<Utc>,
}

impl std::fmt::Debug for DevicePushToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevicePushToken")
            .field("tenant_id", &self.tenant_id)
            .field("id", &self.id)
            .field("subject_kind", &self.subject_kind)
            .field("subject_id", &self.subject_id)
            .field("provider", &self.provider)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// A registration. Fields as in [`DevicePushToken`].
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewDevice {
    pub subject_kind: String,
    pub subject_id: String,
    pub platform: String,
    pub provider: String,
    pub token: String,
    pub token_hash: String,
    pub device_id: Option<String>,
    pub app_id: Option<String>,
    pub audience: String,
    pub external_id: Option<String>,
    pub agent_id: Option<String>,
    pub call_mode: String,
    pub metadata: String,
}

/// The tenant's rows with this device id and with this token, in that order and without duplicates. There are two if the
/// device received the token of another one. Empty if there is none.
pub fn device_find(
    c: &mut Conn,
    tenant: &TenantId,
    provider: &str,
    device_id: Option<&str>,
    token_hash: Option<&str>,
) -> StoreResult<Vec<DevicePushToken>> {
    let mut found = Vec::new();
    if let Some(device_id) = device_id {
        found.extend(
            device_push_tokens::table
                .filter(device_push_tokens::tenant_id.eq(tenant))
                .filter(device_push_tokens::provider.eq(provider))
                .filter(device_push_tokens::device_id.eq(device_id))
                .select(DevicePushToken::as_select())
                .first(c)
                .optional()?,
        );
    }
    if let Some(token_hash) = token_hash {
        let by_token: Option<DevicePushToken> = device_push_tokens::table
            .filter(device_push_tokens::tenant_id.eq(tenant))
            .filter(device_push_tokens::provider.eq(provider))
            .filter(device_push_tokens::token_hash.eq(token_hash))
            .select(DevicePushToken::as_select())
            .first(c)
            .optional()?;
        found.extend(by_token.filter(|row| found.iter().all(|known| known.id != row.id)));
    }
    Ok(found)
}

/// Inserts or updates a device, so that one row has both its device id and its token.
pub fn device_put(
    c: &mut Conn,
    tenant: &TenantId,
    new: &NewDevice,
    now: DateTime<Utc>,
) -> StoreResult<DevicePushToken> {
    let now = to_stored_precision(now);
    let mut known =
        device_find(c, tenant, &new.provider, new.device_id.as_deref(), Some(&new.token_hash))?.into_iter();
    let first = known.next();
    for other in known {
        delete(device_push_tokens::table.find((tenant, &other.id))).execute(c)?;
    }
    let new = new.clone();
    let device = DevicePushToken {
        tenant_id: tenant.clone(),
        id: first.as_ref().map_or_else(DevicePushTokenId::generate, |known| known.id.clone()),
        subject_kind: new.subject_kind,
        subject_id: new.subject_id,
        platform: new.platform,
        provider: new.provider,
        token: Some(new.token),
        token_hash: new.token_hash,
        // A registration without a device id keeps the known one.
        device_id: new.device_id.or_else(|| first.as_ref().and_then(|known| known.device_id.clone())),
        app_id: new.app_id,
        audience: new.audience,
        external_id: new.external_id,
        agent_id: new.agent_id,
        call_mode: new.call_mode,
        metadata: new.metadata,
        enabled: true,
        created_at: first.as_ref().map_or(now, |known| known.created_at),
        updated_at: now,
        last_seen_at: now,
    };
    if first.is_some() {
        update(device_push_tokens::table.find((tenant, &device.id))).set(device.clone()).execute(c)?;
    } else {
        insert_into(device_push_tokens::table).values(device.clone()).execute(c)?;
    }
    Ok(device)
}

/// Disables a device and deletes its token. Returns `false` if it was not enabled.
pub fn device_disable(
    c: &mut Conn,
    tenant: &TenantId,
    id: &DevicePushTokenId,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let disabled = update(device_push_tokens::table.find((tenant, id)))
        .filter(device_push_tokens::enabled.eq(true))
        .set((
            device_push_tokens::enabled.eq(false),
            device_push_tokens::token.eq(None::<String>),
            device_push_tokens::updated_at.eq(DbTimestamp::from(now)),
        ))
        .execute(c)?;
    Ok(disabled > 0)
}

/// The subject's enabled devices, oldest first.
pub fn device_list_of(
    c: &mut Conn,
    tenant: &TenantId,
    subject_kind: &str,
    subject_id: &str,
) -> StoreResult<Vec<DevicePushToken>> {
    Ok(device_push_tokens::table
        .filter(device_push_tokens::tenant_id.eq(tenant))
        .filter(device_push_tokens::subject_kind.eq(subject_kind))
        .filter(device_push_tokens::subject_id.eq(subject_id))
        .filter(device_push_tokens::enabled.eq(true))
        .order((device_push_tokens::created_at.asc(), device_push_tokens::id.asc()))
        .select(DevicePushToken::as_select())
        .load(c)?)
}
