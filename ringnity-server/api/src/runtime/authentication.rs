//! Authentication and authorization: where credentials travel, who identifies their principals, and the errors when a
//! credential is missing, not valid or not sufficient.
//!
//! [`authenticate`] needs no operation, so a credential in the first frame of a WebSocket
//! ([`authenticate_credential`]) goes through the same code as that of a request.

use std::fmt;
use std::future::{Future, ready};

use http::StatusCode;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use super::fault::{Code, Fault};
use super::head::RequestHead;
use super::hooks::{CallOf, HeadOf, Hooks};
use super::operation::Access;
use super::problem::Problem;

/// Where in a request a credential travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialLocation {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: Basic …`; the credential is the encoded pair.
    Basic,
    /// A header of its own.
    Header(&'static str),
    /// A query parameter.
    Query(&'static str),
    /// A cookie.
    Cookie(&'static str),
}

/// A kind of credential: where it travels, and the error codes of its problems.
#[derive(Debug)]
pub struct CredentialKind {
    /// Name in the generator's settings.
    pub kind: &'static str,
    /// Where it travels. The first location that holds something counts.
    pub locations: &'static [CredentialLocation],
    /// The feature that the principal's tenant must have, whatever the operation.
    pub feature: Option<&'static str>,
    /// Code when it is absent.
    pub missing: Option<&'static str>,
    /// Code when it is not valid.
    pub invalid: Option<&'static str>,
    /// Code when it has expired.
    pub expired: Option<&'static str>,
    /// Code when it lacks a scope or a role.
    pub denied: Option<&'static str>,
}

/// The text of a credential. It does not appear in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// A credential with that text.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Text.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").finish_non_exhaustive()
    }
}

/// Why a credential does not identify a principal.
#[derive(Debug, Clone)]
pub enum AuthFailure {
    /// It is a credential of another kind: the next kind that the operation accepts is tried.
    WrongKind,
    /// Unknown, wrong, revoked or disabled.
    Invalid,
    /// It has expired.
    Expired,
    /// Something else. The fault is the response.
    Fault(Fault),
}

impl From<Fault> for AuthFailure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The principal that a credential identifies, and why it may not act, if it may not.
#[derive(Debug)]
pub struct Authenticated<P> {
    /// Who holds the credential.
    pub principal: P,
    /// Why the principal is refused all the same, for example because its tenant is suspended. This is the response,
    /// but only after the request has been counted against the principal's rate limit.
    pub denial: Option<Fault>,
}

impl<P> Authenticated<P> {
    /// The same for another type of principal.
    pub fn map<Q>(self, convert: impl FnOnce(P) -> Q) -> Authenticated<Q> {
        Authenticated { principal: convert(self.principal), denial: self.denial }
    }
}

impl<P> From<P> for Authenticated<P> {
    fn from(principal: P) -> Self {
        Self { principal, denial: None }
    }
}

/// What a principal may do, as far as the contract asks.
pub trait Permissions {
    /// Whether it holds `scope`.
    fn has_scope(&self, scope: &str) -> bool {
        let _ = scope;
        false
    }

    /// The role in which it acts, if it acts in one.
    fn role(&self) -> Option<&str> {
        None
    }

    /// Whether its tenant has `feature`.
    fn has_feature(&self, feature: &str) -> bool {
        let _ = feature;
        false
    }
}

/// Identifies the principals of credentials. Implemented by generated code, on top of what the server implements for
/// each kind of credential.
pub trait Authenticator: Hooks {
    /// The principals of all kinds.
    type Principal: Permissions + Send + Sync + 'static;

    /// The kinds of credential that the contract has.
    fn kinds() -> &'static [CredentialKind];

    /// Response headers that pages of other origins may read: those that the contract documents, and those that the
    /// runtime sets.
    fn exposed_headers() -> &'static str;

    /// The principal of `credential`, taken as one of `kind`.
    fn identify(
        &self,
        kind: &'static str,
        head: &HeadOf<Self>,
        credential: &Credential,
    ) -> impl Future<Output = Result<Authenticated<Self::Principal>, AuthFailure>> + Send;

    /// Called when the principal is known, before its permissions are checked and the body is read: for rate limits.
    /// `None` stands for a request without a valid credential, whether the operation needs one or not. An error is
    /// the response.
    fn after_authentication(
        &self,
        head: &HeadOf<Self>,
        principal: Option<&Self::Principal>,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (head, principal);
        ready(Ok(()))
    }
}

/// A principal, and the kind of credential that identified it.
#[derive(Debug)]
pub struct Identified<P> {
    /// The principal.
    pub principal: P,
    /// The kind.
    pub kind: &'static CredentialKind,
}

/// Authenticates a credential that is not part of a request head, such as one in the first frame of a WebSocket.
/// `head` is that of the request which opened the connection, `kinds` are the kinds of credential that are accepted.
/// Check scopes with [`authorize`] afterwards.
///
/// # Errors
///
/// The faults of a request with that credential: 401, 403, 429 or 503.
pub async fn authenticate_credential<A: Authenticator>(
    server: &A,
    head: &HeadOf<A>,
    kinds: &[&'static str],
    text: &str,
) -> Result<Identified<A::Principal>, Fault> {
    let credential = Some(text).filter(|text| !text.is_empty()).map(Credential::new);
    let found = authenticate(server, head, kinds, |_| Ok(credential.clone()), false).await?;
    found.ok_or_else(|| missing::<A>(kinds))
}

/// Authenticates a call and checks what the operation demands of the principal.
pub(super) async fn authenticate_call<A: Authenticator>(
    server: &A,
    call: &CallOf<A>,
) -> Result<Option<A::Principal>, Fault> {
    let operation = call.operation();
    let kinds: Vec<&'static str> = operation.accepts.iter().map(|access| access.kind).collect();
    let find = |kind: &CredentialKind| find(call, kind);
    let Some(found) = authenticate(server, call, &kinds, find, operation.anonymous).await? else {
        return Ok(None);
    };
    let access = operation.accepts.iter().find(|access| access.kind == found.kind.kind);
    let access = access.ok_or_else(|| Fault::internal("a kind of credential that is not accepted"))?;
    authorize(server, &found, access, operation.feature)?;
    Ok(Some(found.principal))
}

/// Checks scopes, role and feature, in this order.
///
/// # Errors
///
/// 403 for the first that is missing.
pub fn authorize<A: Authenticator>(
    server: &A,
    found: &Identified<A::Principal>,
    access: &Access,
    feature: Option<&'static str>,
) -> Result<(), Fault> {
    let Identified { principal, kind } = found;
    for any in access.scopes {
        if !any.iter().any(|scope| principal.has_scope(scope)) {
            return Err(scope_denied(kind, any));
        }
    }
    if !access.roles.is_empty() && !principal.role().is_some_and(|role| access.roles.contains(&role)) {
        return Err(role_denied(kind, access.roles));
    }
    check_feature(server, principal, feature)
}

fn check_feature<A: Authenticator>(
    server: &A,
    principal: &A::Principal,
    feature: Option<&'static str>,
) -> Result<(), Fault> {
    match feature {
        Some(feature) if !principal.has_feature(feature) => Err(server.feature_not_available(feature)),
        _ => Ok(()),
    }
}

/// Authenticates the credential that `find` returns for the first of `kinds` that has one. `None` where there is none
/// and `anonymous` allows it, or where no kind is accepted.
async fn authenticate<A: Authenticator>(
    server: &A,
    head: &HeadOf<A>,
    kinds: &[&'static str],
    find: impl Fn(&CredentialKind) -> Result<Option<Credential>, Fault> + Send,
    anonymous: bool,
) -> Result<Option<Identified<A::Principal>>, Fault> {
    match identify(server, head, kinds, find, anonymous).await {
        Ok(Some((Authenticated { principal, denial }, kind))) => {
            server.after_authentication(head, Some(&principal)).await?;
            if let Some(denial) = denial {
                return Err(denial);
            }
            check_feature(server, &principal, kind.feature)?;
            Ok(Some(Identified { principal, kind }))
        }
        Ok(None) => {
            server.after_authentication(head, None).await?;
            Ok(None)
        }
        // Nobody was judged, so nothing is counted.
        Err(fault) if fault.status().is_server_error() => Err(fault),
        Err(fault) => {
            server.after_authentication(head, None).await?;
            Err(fault)
        }
    }
}

async fn identify<A: Authenticator>(
    server: &A,
    head: &HeadOf<A>,
    kinds: &[&'static str],
    find: impl Fn(&CredentialKind) -> Result<Option<Credential>, Fault> + Send,
    anonymous: bool,
) -> Result<Option<(Authenticated<A::Principal>, &'static CredentialKind)>, Fault> {
    if kinds.is_empty() {
        return Ok(None);
    }
    let mut wrong_kind: Option<&'static CredentialKind> = None;
    for name in kinds.iter().copied() {
        let kind = A::kinds().iter().find(|kind| kind.kind == name);
        let kind =
            kind.ok_or_else(|| Fault::internal(format!("there is no kind of credential called {name}")))?;
        let Some(credential) = find(kind)? else { continue };
        match server.identify(kind.kind, head, &credential).await {
            Ok(found) => return Ok(Some((found, kind))),
            Err(AuthFailure::WrongKind) => drop(wrong_kind.get_or_insert(kind)),
            Err(AuthFailure::Invalid) => {
                return Err(rejected(
                    kind,
                    kind.invalid,
                    "The credential is not valid. Check that it is complete and not revoked, or get a new one.",
                ));
            }
            Err(AuthFailure::Expired) => {
                return Err(rejected(
                    kind,
                    kind.expired.or(kind.invalid),
                    "The credential has expired. Get a new one and send the request again.",
                ));
            }
            Err(AuthFailure::Fault(fault)) => return Err(fault),
        }
    }
    if let Some(kind) = wrong_kind {
        return Err(rejected(
            kind,
            kind.invalid,
            "This kind of credential is not accepted here. Send one of the kinds that this operation documents.",
        ));
    }
    if anonymous { Ok(None) } else { Err(missing::<A>(kinds)) }
}

/// The credential in the first location of `kind` that holds one.
fn find<S>(head: &RequestHead<S>, kind: &CredentialKind) -> Result<Option<Credential>, Fault> {
    for location in kind.locations {
        let text = match location {
            CredentialLocation::Bearer => authorization(head, "bearer")?,
            CredentialLocation::Basic => authorization(head, "basic")?,
            CredentialLocation::Header(name) => one_header(head, name)?,
            CredentialLocation::Query(name) => head.query(name),
            CredentialLocation::Cookie(name) => head.cookie(name),
        };
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            return Ok(Some(Credential(text)));
        }
    }
    Ok(None)
}

fn authorization<S>(head: &RequestHead<S>, scheme: &str) -> Result<Option<String>, Fault> {
    let Some(value) = one_header(head, AUTHORIZATION.as_str())? else { return Ok(None) };
    let Some((actual, rest)) = value.split_once(' ') else { return Ok(None) };
    Ok(actual.eq_ignore_ascii_case(scheme).then(|| rest.trim().to_owned()))
}

fn one_header<S>(head: &RequestHead<S>, name: &str) -> Result<Option<String>, Fault> {
    let mut values = head.headers().get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Fault::invalid([format!(
            "/header/{}: is sent more than once",
            name.to_ascii_lowercase()
        )]));
    }
    Ok(first.and_then(|value| value.to_str().ok()).map(|value| value.trim().to_owned()))
}

fn code(code: Option<&'static str>, problem: Problem) -> Code {
    code.map_or(Code::Of(problem), Code::from)
}

fn missing<A: Authenticator>(kinds: &[&str]) -> Fault {
    let kinds = kinds.iter().filter_map(|name| A::kinds().iter().find(|kind| kind.kind == *name));
    let kinds: Vec<&CredentialKind> = kinds.collect();
    let mut places: Vec<String> = Vec::new();
    for location in kinds.iter().flat_map(|kind| kind.locations) {
        let place = match location {
            CredentialLocation::Bearer => "Authorization: Bearer".to_owned(),
            CredentialLocation::Basic => "Authorization: Basic".to_owned(),
            CredentialLocation::Header(name) => (*name).to_owned(),
            CredentialLocation::Query(name) => format!("query parameter {name}"),
            CredentialLocation::Cookie(name) => format!("cookie {name}"),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let basic = kinds.iter().any(|kind| kind.locations.contains(&CredentialLocation::Basic));
    let first = kinds.first().and_then(|kind| kind.missing);
    Fault::new(
        StatusCode::UNAUTHORIZED,
        code(first, Problem::Unauthenticated),
        format!("A credential is needed: send it as {}.", places.join(" or ")),
    )
    .header(WWW_AUTHENTICATE, if basic { "Basic" } else { "Bearer" })
}

fn rejected(kind: &CredentialKind, named: Option<&'static str>, message: &'static str) -> Fault {
    let basic = kind.locations.contains(&CredentialLocation::Basic);
    let challenge = if basic { "Basic" } else { r#"Bearer error="invalid_token""# };
    Fault::new(StatusCode::UNAUTHORIZED, code(named, Problem::Unauthenticated), message)
        .header(WWW_AUTHENTICATE, challenge)
}

/// The error for a principal that acts in none of `roles`.
fn role_denied(kind: &CredentialKind, roles: &[&str]) -> Fault {
    let names = roles.join(" or ");
    Fault::new(
        StatusCode::FORBIDDEN,
        code(kind.denied, Problem::Forbidden),
        format!("Only the role {names} may do this. Ask somebody who has it."),
    )
    .detail(format!("needs role {names}"))
}

/// The error for a principal that holds none of the scopes `any`.
fn scope_denied(kind: &CredentialKind, any: &[&str]) -> Fault {
    let names = any.join(" or ");
    Fault::new(
        StatusCode::FORBIDDEN,
        code(kind.denied, Problem::Forbidden),
        format!("The credential lacks the scope {names}. Send one that has it."),
    )
    .detail(format!("needs scope {names}"))
    .header(WWW_AUTHENTICATE, format!(r#"Bearer error="insufficient_scope", scope="{}""#, any.join(" ")))
}
