//! OAuth clients of a tenant: create, update, rotate the secret, revoke, delete.

use ringnity_store::login::{self, NewOauthClient, OauthClient, OauthClientChanges};
use ringnity_store::tenants::{Feature, Features, Quota};
use ringnity_store::{Conn, OauthClientId, TenantId, identity};
use ringnity_types::{
    ConstTrue, CreateOAuthClientRequest, ErrorCode, Field, OAuthClient, OAuthClientData, OAuthClientDeleted,
    OAuthClientList, OAuthClientSecret, OAuthClientStatus, OAuthClientType, OAuthScope,
    UpdateOAuthClientRequest,
};
use url::{Host, Url};

use crate::app::login::oauth_scopes;
use crate::app::{App, AppError, AppResult, ErrorKind, IdempotencyKey, plans};
use crate::secrets::{self, NewSecret};

/// Prefix of client ids.
const CLIENT_ID_PREFIX: &str = "rn_oauth_";

/// Prefix of client secrets, by which a leaked one is recognized.
const SECRET_PREFIX: &str = "rn_os_";

/// Returns all clients of the tenant, and what a console needs to create another. `discovery_url` is the URL of the
/// OpenID discovery document.
pub async fn list_oauth_clients(
    app: &App,
    tenant: TenantId,
    discovery_url: String,
) -> AppResult<OAuthClientList> {
    let stored =
        app.store.read(move |c| login::oauth_client_list(c, &tenant).map_err(AppError::from)).await?;
    Ok(OAuthClientList {
        oauth_clients: stored.into_iter().map(client).collect(),
        available_scopes: app.auth.oauth_scopes.available(),
        recommended_scopes: oauth_scopes::recommended(),
        scope_catalog: app.auth.oauth_scopes.catalog(),
        client_types: OAuthClientType::ALL.to_vec(),
        discovery_url,
    })
}

/// Creates a client. Only this response contains its secret, if it has one.
pub async fn create_oauth_client(
    app: &App,
    tenant: TenantId,
    request: CreateOAuthClientRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<OAuthClientSecret> {
    let client_type = request.type_.unwrap_or(OAuthClientType::Confidential);
    let public = client_type == OAuthClientType::Public;
    let mut errors = Vec::new();
    let name = validate_name(&request.name, &mut errors);
    let redirect_uris = validate_redirect_uris(request.redirect_uris, &mut errors);
    let allowed_scopes = validate_scopes(app, &request.allowed_scopes, &mut errors)?;
    let require_pkce = resolve_pkce(public, request.require_pkce, public, &mut errors);
    ensure_valid(errors)?;
    let secret = if public { None } else { Some(new_secret()?) };
    let new = NewOauthClient {
        client_id: new_client_id()?,
        name,
        client_type: client_type.to_string(),
        secret_hash: secret.as_ref().map(|secret| secret.hash.clone()),
        redirect_uris,
        allowed_scopes,
        require_pkce,
    };
    let now = app.now();
    app.idempotent(idempotency_key, move |c| {
        let count = login::oauth_client_count(c, &tenant)? + 1;
        let code = ErrorCode::DeveloperOauthClientLimitReached;
        plans::must_have_room(c, &tenant, Quota::OauthClients, count, code, |limit| {
            format!("The plan allows {limit} OAuth clients. Revoke and delete one, or upgrade the plan.")
        })?;
        let stored = login::oauth_client_insert(c, &tenant, &new, now)?;
        Ok(with_secret(stored, secret.as_ref()))
    })
    .await
}

/// Updates a client. A revoked client must be activated in the same request.
pub async fn update_oauth_client(
    app: &App,
    tenant: TenantId,
    features: Features,
    id: OauthClientId,
    request: UpdateOAuthClientRequest,
) -> AppResult<OAuthClientData> {
    let mut errors = Vec::new();
    let new_name = request.name.as_deref().map(|text| validate_name(text, &mut errors));
    let new_uris = request.redirect_uris.clone().map(|uris| validate_redirect_uris(uris, &mut errors));
    let new_scopes =
        request.allowed_scopes.as_deref().map(|list| validate_scopes(app, list, &mut errors)).transpose()?;
    let now = app.now();
    let stored = app
        .store
        .write(move |c| {
            let before = get(c, &tenant, &id)?;
            let activating = request.status == Some(OAuthClientStatus::Active);
            let revoking = request.status == Some(OAuthClientStatus::Revoked);
            let mut errors = errors.clone();
            let public = match &request.type_ {
                Some(wanted) => *wanted == OAuthClientType::Public,
                None => is_public(&before),
            };
            // A client that becomes public must use PKCE.
            let require_pkce =
                resolve_pkce(public, request.require_pkce, public || before.require_pkce, &mut errors);
            ensure_valid(errors)?;
            if request == UpdateOAuthClientRequest::default() {
                return Ok(before);
            }
            let only_revoking =
                UpdateOAuthClientRequest { status: request.status.clone(), ..Default::default() };
            if revoking && request == only_revoking {
                return revoke(c, &tenant, before, now);
            }
            if before.revoked_at.is_some() && !activating {
                return Err(AppError::new(
                    ErrorKind::Conflict,
                    ErrorCode::DeveloperOauthClientRevoked,
                    "The OAuth client is revoked. Send status active with the change to use it again.",
                ));
            }
            plans::require(features, Feature::Oauth)?;
            let changes = OauthClientChanges {
                name: new_name.clone(),
                client_type: request.type_.as_ref().map(ToString::to_string),
                // A public client has no secret; rotation gives a confidential one a new secret.
                secret_hash: (public && !is_public(&before)).then_some(None),
                redirect_uris: new_uris.clone(),
                allowed_scopes: new_scopes.clone(),
                require_pkce: Some(require_pkce),
                revoked_at: activating.then_some(None),
            };
            let changed =
                login::oauth_client_update(c, &tenant, &id, &changes, now)?.ok_or_else(client_not_found)?;
            if revoking { revoke(c, &tenant, changed, now) } else { Ok(changed) }
        })
        .await?;
    Ok(OAuthClientData { oauth_client: client(stored) })
}

/// Revokes a client and ends its sessions. Idempotent.
pub async fn revoke_oauth_client(
    app: &App,
    tenant: TenantId,
    id: OauthClientId,
) -> AppResult<OAuthClientData> {
    let now = app.now();
    let stored = app
        .store
        .write(move |c| {
            let before = get(c, &tenant, &id)?;
            revoke(c, &tenant, before, now)
        })
        .await?;
    Ok(OAuthClientData { oauth_client: client(stored) })
}

/// Replaces the secret of a client.
pub async fn rotate_oauth_client_secret(
    app: &App,
    tenant: TenantId,
    id: OauthClientId,
    idempotency_key: IdempotencyKey,
) -> AppResult<OAuthClientSecret> {
    let secret = new_secret()?;
    let now = app.now();
    app.idempotent(idempotency_key, move |c| {
        let before = get(c, &tenant, &id)?;
        if before.revoked_at.is_some() {
            return Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::DeveloperOauthClientRevoked,
                "The OAuth client is revoked. Activate it before rotating its secret.",
            ));
        }
        if is_public(&before) {
            return Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::DeveloperOauthClientPublic,
                "A public client has no secret; it uses PKCE. Make it confidential first.",
            ));
        }
        let hash = Some(Some(secret.hash.clone()));
        let changes = OauthClientChanges { secret_hash: hash, ..OauthClientChanges::default() };
        let stored =
            login::oauth_client_update(c, &tenant, &id, &changes, now)?.ok_or_else(client_not_found)?;
        Ok(with_secret(stored, Some(&secret)))
    })
    .await
}

/// Deletes a revoked client.
pub async fn delete_revoked_oauth_client(
    app: &App,
    tenant: TenantId,
    id: OauthClientId,
) -> AppResult<OAuthClientDeleted> {
    let deleted = id.clone();
    app.store
        .write(move |c| {
            if get(c, &tenant, &id)?.revoked_at.is_none() {
                return Err(AppError::new(
                    ErrorKind::Conflict,
                    ErrorCode::DeveloperOauthClientActive,
                    "The OAuth client is active. Revoke it first.",
                ));
            }
            login::oauth_client_delete(c, &tenant, &id)?;
            Ok(())
        })
        .await?;
    Ok(OAuthClientDeleted { oauth_client_id: deleted.into_string(), deleted: ConstTrue })
}

fn get(c: &mut Conn, tenant: &TenantId, id: &OauthClientId) -> AppResult<OauthClient> {
    login::oauth_client_get(c, tenant, id)?.ok_or_else(client_not_found)
}

/// Revokes a client and ends its sessions.
fn revoke(
    c: &mut Conn,
    tenant: &TenantId,
    before: OauthClient,
    now: chrono::DateTime<chrono::Utc>,
) -> AppResult<OauthClient> {
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    identity::session_revoke_by_credential(c, tenant, before.id.as_str(), now)?;
    let changes = OauthClientChanges { revoked_at: Some(Some(now)), ..OauthClientChanges::default() };
    login::oauth_client_update(c, tenant, &before.id, &changes, now)?.ok_or_else(client_not_found)
}

fn is_public(stored: &OauthClient) -> bool {
    stored.client_type == OAuthClientType::Public.as_str()
}

/// Generates a client id.
pub fn new_client_id() -> AppResult<String> {
    Ok(format!("{CLIENT_ID_PREFIX}{}", &secrets::random_hex().map_err(AppError::internal)?[..24]))
}

fn new_secret() -> AppResult<NewSecret> {
    secrets::generate(SECRET_PREFIX).map_err(AppError::internal)
}

/// The trimmed name, which must not be blank.
fn validate_name(text: &str, errors: &mut Vec<String>) -> String {
    let name = text.trim();
    if name.is_empty() {
        errors.push("/body/name: is blank".to_owned());
    }
    name.to_owned()
}

/// Redirect URIs unchanged, without duplicates. They are compared as strings later.
fn validate_redirect_uris(uris: Vec<String>, errors: &mut Vec<String>) -> Vec<String> {
    let mut unique = Vec::new();
    for (index, uri) in uris.into_iter().enumerate() {
        if let Some(error) = redirect_uri_error(&uri) {
            errors.push(format!("/body/redirectUris/{index}: {error}"));
        } else if !unique.contains(&uri) {
            unique.push(uri);
        }
    }
    unique
}

/// Why a redirect URI is not accepted.
pub fn redirect_uri_error(uri: &str) -> Option<&'static str> {
    // The parser corrects some errors like browsers do, but the URI is compared as a string.
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '\\';
    let Ok(url) = Url::parse(uri) else { return Some("is not a URL; start with https://") };
    if uri.contains(odd) {
        return Some("contains spaces or backslashes; percent-encode them");
    }
    if uri.contains('#') {
        return Some("has a fragment; remove the # and what follows");
    }
    let Some(host) = url.host() else { return Some("must start with https:// and a host") };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("contains a user name; remove it");
    }
    if uri.contains('*') {
        return Some("contains a wildcard; list each URI");
    }
    let loopback = match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    match url.scheme() {
        "https" => None,
        "http" if loopback => None,
        "http" => Some("is not encrypted; use https, or http on localhost during development"),
        _ => Some("must start with https://"),
    }
}

/// Scopes without duplicates. Planned scopes are rejected.
fn validate_scopes(app: &App, requested: &[OAuthScope], errors: &mut Vec<String>) -> AppResult<Vec<String>> {
    let planned: Vec<String> = requested
        .iter()
        .enumerate()
        .filter(|(_, scope)| !app.auth.oauth_scopes.is_available(scope))
        .map(|(index, scope)| format!("/body/allowedScopes/{index}: {scope} is planned"))
        .collect();
    if !planned.is_empty() {
        let error = AppError::new(
            ErrorKind::Invalid,
            ErrorCode::DeveloperOauthScopePlanned,
            "Some scopes are planned and not available yet. Use those in availableScopes of the client list.",
        );
        return Err(planned.into_iter().fold(error, AppError::detail));
    }
    if requested.is_empty() {
        errors.push("/body/allowedScopes: is empty".to_owned());
    }
    let mut unique: Vec<String> = Vec::new();
    for scope in requested {
        if !unique.iter().any(|known| known == scope.as_str()) {
            unique.push(scope.to_string());
        }
    }
    Ok(unique)
}

/// Whether PKCE is required: always for public clients.
fn resolve_pkce(public: bool, requested: Option<bool>, default: bool, errors: &mut Vec<String>) -> bool {
    if public && requested == Some(false) {
        errors.push("/body/requirePkce: a public client must use PKCE".to_owned());
    }
    requested.unwrap_or(default)
}

fn ensure_valid(errors: Vec<String>) -> AppResult<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let error = AppError::new(
        ErrorKind::Invalid,
        ErrorCode::DeveloperOauthClientValidationFailed,
        "The OAuth client is not valid. Fix the fields listed in `details` and retry.",
    );
    Err(errors.into_iter().fold(error, AppError::detail))
}

fn with_secret(stored: OauthClient, secret: Option<&NewSecret>) -> OAuthClientSecret {
    let warning = match secret {
        Some(_) => {
            "Store the secret on your servers now: it is not shown again. Earlier secrets are invalid."
        }
        None => "A public client has no secret. It must use PKCE.",
    };
    OAuthClientSecret {
        oauth_client: client(stored),
        client_secret: secret.map(|secret| secret.text.clone()),
        warning: warning.to_owned(),
    }
}

fn client(stored: OauthClient) -> OAuthClient {
    OAuthClient {
        status: match stored.revoked_at {
            None => OAuthClientStatus::Active,
            Some(_) => OAuthClientStatus::Revoked,
        },
        id: stored.id.into_string(),
        client_id: stored.client_id,
        name: stored.name,
        type_: OAuthClientType::from(stored.client_type),
        allowed_scopes: stored.allowed_scopes.into_iter().map(OAuthScope::from).collect(),
        redirect_uris: stored.redirect_uris,
        require_pkce: stored.require_pkce,
        updated_at: Some(stored.updated_at),
        created_at: Some(stored.created_at),
        last_used_at: Field::or_absent(stored.last_used_at),
        revoked_at: Field::or_absent(stored.revoked_at),
    }
}

fn client_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::DeveloperOauthClientNotFound,
        "The OAuth client does not exist. List the clients and use the id, not the clientId.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_use_https_or_go_to_the_local_machine() {
        for uri in [
            "https://crm.example.com/oauth/callback",
            "https://crm.example.com",
            "https://crm.example.com:8443/back?tenant=1&x=%20",
            "https://xn--bcher-kva.example/",
            "http://localhost/callback",
            "http://localhost:3000/callback",
            "http://127.0.0.1:49152/",
            "http://[::1]:3000/callback",
        ] {
            assert_eq!(redirect_uri_error(uri), None, "{uri}");
        }
        for uri in [
            "https://crm.example.com/callback#",
            "https://crm.example.com/callback#token",
            "http://crm.example.com/callback",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "http://10.0.0.1/",
            "http://user@localhost/",
            "https://user:secret@crm.example.com/",
            "https://*.example.com/",
            "https://crm.example.com/*",
            "https:\\\\crm.example.com/",
            "https://crm.example.com/a b",
            " https://crm.example.com/",
            "https://crm.example.com/\tx",
            "javascript:alert(1)",
            "javascript://crm.example.com/%0aalert(1)",
            "data:text/html,hello",
            "file:///etc/passwd",
            "com.example.app:/callback",
            "urn:ietf:wg:oauth:2.0:oob",
            "/callback",
            "crm.example.com/callback",
            "https://",
            "",
        ] {
            assert!(redirect_uri_error(uri).is_some(), "{uri}");
        }
    }
}
