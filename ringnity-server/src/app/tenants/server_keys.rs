//! Server API credentials of a tenant: made with a secret that is shown once, listed without it, changed, given
//! another secret, and switched off with what was made with them.

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

/// What Server API keys begin with, so that a leaked one is recognised.
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
        // A time later than now was noted before the clock was set back.
        let due = last_writes
            .get(key)
            .is_none_or(|last| *last > now || now - *last >= tenants::LAST_USED_PRECISION);
        if due {
            last_writes.put(key.clone(), now);
        }
        due
    }
}

/// Notes that a key was used, now and then. When that was is for people to look at: where it cannot be noted, requests
/// go on.
pub async fn record_use(app: &App, key: &ServerCredential, now: DateTime<Utc>) {
    if !key.touch_due(now) || !app.auth.key_last_used.should_write(&key.id, now) {
        return;
    }
    let (tenant, id) = (key.tenant_id.clone(), key.id.clone());
    let touch = move |c: &mut Conn| tenants::server_credential_touch(c, &tenant, &id, now);
    if let Err(error) = app.store.try_write(touch).await {
        tracing::warn!(%error, "cannot note that a key was used");
    }
}

/// Makes a credential; the only time its secret is told.
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

/// Every credential of the tenant, disabled ones too.
pub async fn list_server_api_credentials(app: &App, tenant: TenantId) -> AppResult<ServerApiCredentialList> {
    let stored =
        app.store.read(move |c| tenants::server_credential_list(c, &tenant).map_err(AppError::from)).await?;
    Ok(ServerApiCredentialList { credentials: Some(stored.into_iter().map(credential).collect()) })
}

/// Changes name, scopes, environment, and whether the credential opens anything. Scopes that are taken away are
/// gone with the next request, and so are the SDK tokens of a credential that is switched off.
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

/// Switches a credential off, with the SDK tokens that were made with it. Once is enough, and twice does no harm.
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

/// Puts a new secret in place of the old one, which opens nothing from then on. What was made with the credential
/// stays: it is the same credential.
pub async fn rotate_server_api_credential(
    app: &App,
    tenant: TenantId,
    id: ServerCredentialId,
    idempotency_key: IdempotencyKey,
) -> AppResult<ServerApiCredentialSecret> {
    // The prefix says live or test, and that is known only once the credential is: have one for each.
    let live = new_secret(&ServerApiCredentialEnvironment::Live)?;
    let test = new_secret(&ServerApiCredentialEnvironment::Test)?;
    let now = app.now();
    app.idempotent(idempotency_key, move |c| {
        let before = tenants::server_credential_get(c, &tenant, &id)?.ok_or_else(key_not_found)?;
        if !before.is_active {
            return Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::ServerCredentialDisabled,
                "This credential is disabled, and a new secret would open nothing. Set isActive first.",
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

/// The secret of a new credential.
pub fn new_secret(environment: &ServerApiCredentialEnvironment) -> AppResult<NewSecret> {
    secrets::generate(&format!("{PREFIX}{environment}_")).map_err(AppError::internal)
}

fn is_test(stored: &ServerCredential) -> bool {
    stored.environment == ServerApiCredentialEnvironment::Test.as_str()
}

/// Refuses one more active credential than the plan allows.
fn check_quota(c: &mut Conn, tenant: &TenantId) -> AppResult<()> {
    let count = tenants::server_credential_count_active(c, tenant)? + 1;
    let code = ErrorCode::ServerCredentialLimitReached;
    plans::must_have_room(c, tenant, Quota::ServerApiKeys, count, code, |limit| {
        format!("The plan allows {limit} active Server API keys. Disable one, or change the plan.")
    })
}

/// A name that people can tell a credential by.
fn validate_name(name: &str) -> AppResult<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(AppError::new(
            ErrorKind::Invalid,
            ErrorCode::ServerCredentialValidationFailed,
            "A credential needs a name that people can tell it by.",
        )
        .detail("/body/name: is blank"));
    }
    Ok(name.to_owned())
}

fn key_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ServerCredentialNotFound,
        "There is no such Server API credential. List the credentials to find its id.",
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
