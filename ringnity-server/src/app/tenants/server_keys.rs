//! Server API keys of a tenant: create, list, update, rotate, disable. A secret is shown once.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use lru::LruCache;
use ringnity_store::tenants::{
    self, Feature, Features, NewServerCredential, Quota, ServerCredential, ServerCredentialChanges,
};
use ringnity_store::{Conn, ServerCredentialId, TenantId, identity};
use ringnity_types::{
    CreateServerApiCredentialRequest, ErrorCode, ServerApiCredential, ServerApiCredentialData,
    ServerApiCredentialEnvironment, ServerApiCredentialList, ServerApiCredentialSecret, ServerApiScope,
    UpdateServerApiCredentialRequest,
};

use crate::app::{App, AppError, AppResult, ErrorKind, IdempotencyKey, plans};
use crate::secrets::{self, NewSecret};

/// Prefix of Server API keys, by which a leaked one is recognized.
pub const PREFIX: &str = "rn_sk_";

/// Server API keys whose last write is remembered.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// When this node last tried to write that a key was used. A write that fails is not retried with every request.
#[derive(Debug)]
pub struct LastUsedThrottle(Mutex<LruCache<ServerCredentialId, DateTime<Utc>>>);

impl Default for LastUsedThrottle {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl LastUsedThrottle {
    fn should_write(&self, key: &ServerCredentialId, now: DateTime<Utc>) -> bool {
        let mut last_writes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A time later than now was recorded before the clock was set back.
        let due = last_writes
            .get(key)
            .is_none_or(|last| *last > now || now - *last >= tenants::LAST_USED_PRECISION);
        if due {
            last_writes.put(key.clone(), now);
        }
        due
    }
}

/// Records from time to time that a key was used. A failure is logged and does not fail the request.
pub async fn record_use(app: &App, key: &ServerCredential, now: DateTime<Utc>) {
    if !key.touch_due(now) || !app.auth.key_last_used.should_write(&key.id, now) {
        return;
    }
    let (tenant, id) = (key.tenant_id.clone(), key.id.clone());
    let touch = move |c: &mut Conn| tenants::server_credential_touch(c, &tenant, &id, now);
    if let Err(error) = app.store.try_write(touch).await {
        tracing::warn!(%error, "cannot record that a key was used");
    }
}

/// Creates a key. Only this response contains its secret.
pub async fn create_server_api_credential(
    app: &App,
    tenant: TenantId,
    request: CreateServerApiCredentialRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<ServerApiCredentialSecret> {
    let name = validate_name(&request.name)?;
    let secret = new_secret(&request.environment)?;
    let now = app.now();
    let new = NewServerCredential {
        name,
        environment: request.environment.to_string(),
        scopes: request.scopes.iter().map(ToString::to_string).collect(),
        secret_hash: secret.hash,
        secret_preview: secret.preview,
    };
    app.idempotent(idempotency_key, move |c| {
        check_quota(c, &tenant)?;
        let stored = tenants::server_credential_insert(c, &tenant, &new, now)?;
        Ok(ServerApiCredentialSecret {
            credential: Some(credential(stored)),
            secret: Some(secret.text.clone()),
        })
    })
    .await
}

/// Returns all keys of the tenant, including disabled ones.
pub async fn list_server_api_credentials(app: &App, tenant: TenantId) -> AppResult<ServerApiCredentialList> {
    let stored =
        app.store.read(move |c| tenants::server_credential_list(c, &tenant).map_err(AppError::from)).await?;
    Ok(ServerApiCredentialList { credentials: Some(stored.into_iter().map(credential).collect()) })
}

/// Updates name, scopes, environment and state. Changes apply from the next request on. Disabling a key revokes its SDK
/// tokens.
pub async fn update_server_api_credential(
    app: &App,
    tenant: TenantId,
    features: Features,
    id: ServerCredentialId,
    request: UpdateServerApiCredentialRequest,
) -> AppResult<ServerApiCredentialData> {
    let changes = ServerCredentialChanges {
        name: request.name.as_deref().map(validate_name).transpose()?,
        environment: request.environment.map(|environment| environment.to_string()),
        scopes: request.scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        is_active: request.is_active,
    };
    let now = app.now();
    let stored = app
        .store
        .write(move |c| {
            let before = tenants::server_credential_get(c, &tenant, &id)?.ok_or_else(key_not_found)?;
            if changes == ServerCredentialChanges::default() {
                return Ok(before);
            }
            if changes.is_active == Some(true) && !before.is_active {
                plans::require(features, Feature::ServerApi)?;
                check_quota(c, &tenant)?;
            }
            update(c, &tenant, &id, &changes, now)
        })
        .await?;
    Ok(ServerApiCredentialData { credential: Some(credential(stored)) })
}

/// Disables a key and revokes its SDK tokens. Idempotent.
pub async fn disable_server_api_credential(
    app: &App,
    tenant: TenantId,
    id: ServerCredentialId,
) -> AppResult<ServerApiCredentialData> {
    let now = app.now();
    let changes = ServerCredentialChanges { is_active: Some(false), ..ServerCredentialChanges::default() };
    let stored = app
        .store
        .write(move |c| {
            let before = tenants::server_credential_get(c, &tenant, &id)?.ok_or_else(key_not_found)?;
            if before.is_active { update(c, &tenant, &id, &changes, now) } else { Ok(before) }
        })
        .await?;
    Ok(ServerApiCredentialData { credential: Some(credential(stored)) })
}

/// Replaces the secret of a key. Its SDK tokens stay valid.
pub async fn rotate_server_api_credential(
    app: &App,
    tenant: TenantId,
    id: ServerCredentialId,
    idempotency_key: IdempotencyKey,
) -> AppResult<ServerApiCredentialSecret> {
    // The prefix depends on the environment, which is not known yet, so one is generated for each.
    let live = new_secret(&ServerApiCredentialEnvironment::Live)?;
    let test = new_secret(&ServerApiCredentialEnvironment::Test)?;
    let now = app.now();
    app.idempotent(idempotency_key, move |c| {
        let before = tenants::server_credential_get(c, &tenant, &id)?.ok_or_else(key_not_found)?;
        if !before.is_active {
            return Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::ServerCredentialDisabled,
                "The credential is disabled. Set isActive to true before rotating its secret.",
            ));
        }
        let secret = if is_test(&before) { &test } else { &live };
        let stored = tenants::server_credential_rotate(c, &tenant, &id, &secret.hash, &secret.preview, now)?
            .ok_or_else(key_not_found)?;
        Ok(ServerApiCredentialSecret {
            credential: Some(credential(stored)),
            secret: Some(secret.text.clone()),
        })
    })
    .await
}

fn update(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ServerCredentialId,
    changes: &ServerCredentialChanges,
    now: DateTime<Utc>,
) -> AppResult<ServerCredential> {
    if changes.is_active == Some(false) {
        identity::session_revoke_by_credential(c, tenant, id.as_str(), now)?;
    }
    tenants::server_credential_update(c, tenant, id, changes, now)?.ok_or_else(key_not_found)
}

/// Generates the secret of a key.
pub fn new_secret(environment: &ServerApiCredentialEnvironment) -> AppResult<NewSecret> {
    secrets::generate(&format!("{PREFIX}{environment}_")).map_err(AppError::internal)
}

fn is_test(stored: &ServerCredential) -> bool {
    stored.environment == ServerApiCredentialEnvironment::Test.as_str()
}

/// Checks the plan's limit of active keys.
fn check_quota(c: &mut Conn, tenant: &TenantId) -> AppResult<()> {
    let count = tenants::server_credential_count_active(c, tenant)? + 1;
    let code = ErrorCode::ServerCredentialLimitReached;
    plans::must_have_room(c, tenant, Quota::ServerApiKeys, count, code, |limit| {
        format!("The plan allows {limit} active Server API keys. Disable one, or upgrade the plan.")
    })
}

/// The trimmed name, which must not be blank.
fn validate_name(name: &str) -> AppResult<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(AppError::new(
            ErrorKind::Invalid,
            ErrorCode::ServerCredentialValidationFailed,
            "The credential needs a name. Send one that is not blank.",
        )
        .detail("/body/name: is blank"));
    }
    Ok(name.to_owned())
}

fn key_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ServerCredentialNotFound,
        "The Server API credential does not exist. List the credentials to find its id.",
    )
}

fn credential(stored: ServerCredential) -> ServerApiCredential {
    ServerApiCredential {
        id: stored.id.into_string(),
        name: stored.name,
        environment: Some(ServerApiCredentialEnvironment::from(stored.environment)),
        scopes: stored.scopes.into_iter().map(ServerApiScope::from).collect(),
        is_active: Some(stored.is_active),
        secret_preview: Some(stored.secret_preview),
        last_used_at: stored.last_used_at,
        created_at: Some(stored.created_at),
        updated_at: Some(stored.updated_at),
    }
}
