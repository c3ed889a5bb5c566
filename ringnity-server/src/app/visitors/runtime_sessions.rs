//! Visitor sessions. A verified identity comes from the customer's backend in a context token. What the visitor claims
//! is stored separately.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, NewSession};
use ringnity_store::visitors::{self, VisitorContext, VisitorProfile};
use ringnity_store::{Conn, SessionFamilyId, TenantId};
use ringnity_types::{CreateRuntimeSessionRequest, ErrorCode, RuntimeSession, VisitorIdentity};
use serde_json::{Map, Value};

use crate::app::identity::sdk_tokens::{METADATA_MAX_BYTES, expires_at, metadata_text, sign_sdk_token};
use crate::app::non_blank;
use crate::app::tenants::{self, TenantHints};
use crate::app::{App, AppError, AppResult, ErrorKind, IdempotencyKey};
use crate::secrets::tokens::{Claims, SdkClaims, Signer, TokenError, TokenScope};

/// Lifetime of a visitor session, in seconds.
const SESSION_TTL_SECONDS: i64 = 3600;

/// Maximum number of metadata members.
const MAX_METADATA_MEMBERS: usize = 50;

/// Creates a session for a new visitor, or for the visitor that the context token identifies.
pub async fn create_runtime_session(
    app: &App,
    hints: TenantHints,
    origin: Option<String>,
    request: CreateRuntimeSessionRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<RuntimeSession> {
    let now = app.now();
    let expires_at = expires_at(now, SESSION_TTL_SECONDS);
    // URL and headers override the body.
    let hints = if hints.name_tenant() {
        hints
    } else {
        TenantHints { public_key: request.api_key, slug: request.slug, ..hints }
    };
    let context = request.context_token;
    let signer = Arc::clone(&app.auth.signer);
    if let Some(token) = &context {
        signer.refresh_keys_for(&app.store, token).await?;
    }
    let claimed = request.visitor.unwrap_or_default();
    let members = request.metadata.map(Map::from).unwrap_or_default();
    let token_signer = Arc::clone(&signer);
    // Repeats are authorized too: origin, tenant and context token must still be valid.
    let authorize = move |c: &mut Conn| {
        let claims = context.as_ref().map(|token| decode_context(&signer, token, now)).transpose()?;
        let verified = claims.map(|claims| verify_context(c, &claims, &hints, now)).transpose()?;
        let tenant = match &verified {
            Some(verified) => tenants::active_tenant(c, &verified.context.tenant_id)?,
            None => tenants::resolve_tenant(c, &hints)?,
        };
        tenants::ensure_origin_allowed(c, &tenant.id, origin.as_deref())?;
        Ok((tenant, verified))
    };
    app.idempotent_authorized(idempotency_key, authorize, move |c, (tenant, verified)| {
        let profile = build_profile(verified.as_ref().map(|verified| &verified.context), &claimed, &members)?;
        let visitor = visitors::visitor_begin_session(c, &tenant.id, &profile, now)?;
        let key = verified.and_then(|verified| verified.credential);
        let new = NewSession {
            subject_kind: TokenScope::Visitor.as_str(),
            subject_id: visitor.id.as_str(),
            credential_id: key.as_deref(),
            refresh_hash: None,
            expires_at,
        };
        let session = identity::session_insert(c, Some(&tenant.id), &new, now)?;
        let token = sign_sdk_token(&token_signer, &session, TokenScope::Visitor, SdkClaims::default(), now)?;
        Ok(RuntimeSession {
            expires_at: Some(session.expires_at),
            ..RuntimeSession::new(token, SESSION_TTL_SECONDS)
        })
    })
    .await
}

/// What a context token vouches for, and the key that it was made with.
struct VerifiedContext {
    context: VisitorContext,
    credential: Option<String>,
}

/// Verifies a context token.
fn decode_context(signer: &Signer, token: &str, now: DateTime<Utc>) -> AppResult<Claims> {
    let claims = signer.verify(token, now).map_err(|error| match error {
        TokenError::Invalid => context_token_invalid(),
        TokenError::Expired => AppError::new(
            ErrorKind::Unauthenticated,
            ErrorCode::TokenExpired,
            "The context token has expired. Let the backend create a new one for this visitor.",
        ),
    })?;
    if claims.scope == TokenScope::VisitorContext { Ok(claims) } else { Err(context_token_invalid()) }
}

/// Loads the context of a token, if its session is active and the request is for its tenant.
fn verify_context(
    c: &mut Conn,
    claims: &Claims,
    hints: &TenantHints,
    now: DateTime<Utc>,
) -> AppResult<VerifiedContext> {
    let tenant = TenantId::from(claims.tid.as_deref().unwrap_or_default());
    if hints.name_tenant() && tenants::resolve_tenant(c, hints)?.id != tenant {
        return Err(context_token_invalid());
    }
    let id = SessionFamilyId::from(claims.sid.as_str());
    let session = identity::session_get(c, &id)?
        .filter(|session| session.is_live(now) && session.subject_kind == claims.scope.as_str())
        .ok_or_else(context_token_invalid)?;
    let context =
        visitors::visitor_context_get(c, &tenant, &session.id)?.ok_or_else(context_token_invalid)?;
    Ok(VerifiedContext { context, credential: session.credential_id })
}

/// Builds the profile of the visitor. With a verified identity, the visitor's own claims are ignored.
fn build_profile(
    context: Option<&VisitorContext>,
    claimed: &VisitorIdentity,
    members: &Map<String, Value>,
) -> AppResult<VisitorProfile> {
    let mut metadata = match context {
        Some(context) => serde_json::from_str(&context.metadata).map_err(AppError::internal)?,
        None => Map::new(),
    };
    // The limit applies to the page's metadata alone, because the page does not know the backend's. The merged metadata
    // is cut to the same limit; the backend's members come first.
    let mut remaining = METADATA_MAX_BYTES.saturating_sub(metadata_text(Some(&metadata))?.len());
    metadata_text(Some(members))?;
    for (name, value) in members {
        // Plus quotes, colon and comma.
        let size = name.len() + value.to_string().len() + 4;
        if metadata.len() < MAX_METADATA_MEMBERS && size <= remaining && !metadata.contains_key(name) {
            remaining -= size;
            metadata.insert(name.clone(), value.clone());
        }
    }
    let metadata = metadata_text(Some(&metadata))?;
    let known = context.filter(|context| {
        [&context.external_id, &context.name, &context.email, &context.phone].into_iter().any(Option::is_some)
    });
    Ok(match known.cloned() {
        Some(VisitorContext { external_id, name, email, phone, .. }) => {
            VisitorProfile { external_id, claimed_external_id: None, name, email, phone, metadata }
        }
        None => VisitorProfile {
            external_id: None,
            claimed_external_id: non_blank(claimed.external_id.clone()),
            name: non_blank(claimed.name.clone()),
            email: non_blank(claimed.email.clone()),
            phone: non_blank(claimed.phone.clone()),
            metadata,
        },
    })
}

fn context_token_invalid() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::SdkContextTokenInvalid,
        "The context token is not valid. Let the backend of this tenant create a new one, or omit it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(external_id: Option<&str>, metadata: &str) -> VisitorContext {
        VisitorContext {
            family_id: SessionFamilyId::generate(),
            tenant_id: TenantId::generate(),
            external_id: external_id.map(str::to_owned),
            name: None,
            email: None,
            phone: None,
            metadata: metadata.to_owned(),
        }
    }

    #[test]
    fn claims_of_a_visitor_are_not_a_verified_identity() {
        let claimed = VisitorIdentity {
            external_id: Some("customer-1".into()),
            email: Some("me@example.com".into()),
            ..VisitorIdentity::default()
        };
        let alone = build_profile(None, &claimed, &Map::new()).expect("profile");
        assert_eq!(
            (alone.external_id.as_deref(), alone.claimed_external_id.as_deref()),
            (None, Some("customer-1"))
        );
        let verified =
            build_profile(Some(&context(Some("customer-2"), "{}")), &claimed, &Map::new()).expect("profile");
        assert_eq!((verified.external_id.as_deref(), verified.email), (Some("customer-2"), None));
        let only_members =
            build_profile(Some(&context(None, r#"{"a":1}"#)), &claimed, &Map::new()).expect("profile");
        assert_eq!(only_members.email.as_deref(), Some("me@example.com"));
        assert_eq!(only_members.metadata, r#"{"a":1}"#);
    }

    #[test]
    fn backend_metadata_takes_precedence_within_the_limit() {
        let members: Map<String, Value> = (0..60).map(|n| (format!("m{n}"), Value::from(n))).collect();
        let known = context(None, r#"{"m0":"backend"}"#);
        let merged = build_profile(Some(&known), &VisitorIdentity::default(), &members).expect("profile");
        let merged: Map<String, Value> = serde_json::from_str(&merged.metadata).expect("JSON");
        assert_eq!((merged.len(), &merged["m0"]), (MAX_METADATA_MEMBERS, &Value::from("backend")));
    }
}
