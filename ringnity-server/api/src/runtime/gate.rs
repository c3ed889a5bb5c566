//! Credentials: where they travel, who judges them, and what is answered when they do not suffice.

use std::fmt;
use std::future::{Future, ready};

use http::StatusCode;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use super::call::Call;
use super::fault::{Code, Fault, Problem};
use super::hooks::Hooks;
use super::operation::{Access, Operation};

/// A place that a credential travels in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
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

/// A kind of credential: where it travels, and the codes of its problems.
#[derive(Debug)]
pub struct CredentialKind {
    /// Its name in the generator's settings.
    pub kind: &'static str,
    /// Places, the first that holds something wins.
    pub sources: &'static [Source],
    /// Code when it is absent.
    pub missing: Option<&'static str>,
    /// Code when it is not accepted.
    pub invalid: Option<&'static str>,
    /// Code when it has had its time.
    pub expired: Option<&'static str>,
    /// Code when it lacks a scope, or acts in another role.
    pub denied: Option<&'static str>,
}

/// A credential as it was sent. Its text does not appear in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    source: Source,
    secret: String,
}

impl Credential {
    /// A credential from a place.
    pub fn new(source: Source, secret: impl Into<String>) -> Self {
        Self { source, secret: secret.into() }
    }

    /// Where it travelled.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Its text.
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Why a credential does not name a principal.
#[derive(Debug, Clone)]
pub enum AuthFailure {
    /// It is a credential of another kind: the next kind that the operation accepts is tried.
    NotThisKind,
    /// Unknown, wrong, revoked or switched off.
    Invalid,
    /// It has had its time.
    Expired,
    /// Something else, answered as it is.
    Fault(Fault),
}

impl From<Fault> for AuthFailure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Who holds a credential may hold scopes too, and act in a role.
pub trait Scoped {
    /// Whether `scope` is held.
    fn holds(&self, scope: &str) -> bool {
        let _ = scope;
        false
    }

    /// The role that is acted in, where the credential has one.
    fn role(&self) -> Option<&str> {
        None
    }
}

/// How credentials become principals: implemented by generated code on top of the server's own judgement.
pub trait Gate: Hooks {
    /// Every kind of principal.
    type Principal: Scoped + Send + Sync + 'static;

    /// The kinds of credential that the contract knows.
    fn kinds() -> &'static [CredentialKind];

    /// Response headers that pages of other origins may read: those that the contract documents, and those that are
    /// set here.
    fn exposed() -> &'static str;

    /// Who sent `credential`, taken as one of `kind`.
    fn authenticate(
        &self,
        kind: &'static str,
        call: &Call,
        credential: &Credential,
    ) -> impl Future<Output = Result<Self::Principal, AuthFailure>> + Send;

    /// Called as soon as it is known who calls, before scopes and roles are compared and the body is read: rate limits
    /// and the like. Nobody calls where no credential was accepted, be it that none is needed or that the request
    /// is about to be refused. A refusal here is the answer.
    fn admitted(
        &self,
        call: &Call,
        principal: Option<&Self::Principal>,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (call, principal);
        ready(Ok(()))
    }
}

/// Finds out who calls, and whether that suffices.
pub async fn authenticate<G: Gate>(gate: &G, call: &Call) -> Result<Option<G::Principal>, Fault> {
    match identify(gate, call).await {
        Ok(Some(Known { principal, kind, access })) => {
            gate.admitted(call, Some(&principal)).await?;
            for any in access.scopes {
                if !any.iter().any(|scope| principal.holds(scope)) {
                    return Err(denied(kind, any));
                }
            }
            let roles = access.roles;
            if !roles.is_empty() && !principal.role().is_some_and(|role| roles.contains(&role)) {
                return Err(other_role(kind, roles));
            }
            Ok(Some(principal))
        }
        Ok(None) => {
            gate.admitted(call, None).await?;
            Ok(None)
        }
        // Where the server cannot tell, it may be anybody.
        Err(fault) if fault.status().is_server_error() => Err(fault),
        Err(fault) => {
            gate.admitted(call, None).await?;
            Err(fault)
        }
    }
}

/// Who sent an accepted credential, and what it was accepted as.
struct Known<P> {
    principal: P,
    kind: &'static CredentialKind,
    access: &'static Access,
}

/// Finds out who calls; `None` where nobody has to say.
async fn identify<G: Gate>(gate: &G, call: &Call) -> Result<Option<Known<G::Principal>>, Fault> {
    let operation = call.operation();
    if operation.accepts.is_empty() {
        return Ok(None);
    }
    let mut refused: Option<(&'static CredentialKind, &Access)> = None;
    for access in operation.accepts {
        let Some(kind) = G::kinds().iter().find(|kind| kind.kind == access.kind) else {
            return Err(Fault::internal(format!("no kind of credential is called {}", access.kind)));
        };
        let Some(credential) = find(call, kind)? else { continue };
        match gate.authenticate(kind.kind, call, &credential).await {
            Ok(principal) => return Ok(Some(Known { principal, kind, access })),
            Err(AuthFailure::NotThisKind) => drop(refused.get_or_insert((kind, access))),
            Err(AuthFailure::Invalid) => {
                return Err(rejected(
                    kind,
                    kind.invalid,
                    "The credential is not accepted. Send one that is whole and still in force, or get a new one.",
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
    if let Some((kind, _)) = refused {
        return Err(rejected(
            kind,
            kind.invalid,
            "The credential is not of a kind that is accepted here. Send one of a kind that this operation documents.",
        ));
    }
    if operation.anonymous {
        return Ok(None);
    }
    Err(missing::<G>(operation))
}

/// The credential in the first place of `kind` that holds one.
fn find(call: &Call, kind: &CredentialKind) -> Result<Option<Credential>, Fault> {
    for source in kind.sources {
        let text = match source {
            Source::Bearer => authorization(call, "bearer")?,
            Source::Basic => authorization(call, "basic")?,
            Source::Header(name) => one_header(call, name)?,
            Source::Query(name) => call.query(name),
            Source::Cookie(name) => call.cookie(name).map(str::to_owned),
        };
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            return Ok(Some(Credential::new(*source, text)));
        }
    }
    Ok(None)
}

fn authorization(call: &Call, scheme: &str) -> Result<Option<String>, Fault> {
    let Some(value) = one_header(call, AUTHORIZATION.as_str())? else { return Ok(None) };
    let Some((actual, rest)) = value.split_once(' ') else { return Ok(None) };
    Ok(actual.eq_ignore_ascii_case(scheme).then(|| rest.trim().to_owned()))
}

fn one_header(call: &Call, name: &str) -> Result<Option<String>, Fault> {
    let mut values = call.headers().get_all(name).iter();
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

fn missing<G: Gate>(operation: &Operation) -> Fault {
    let kinds: Vec<&CredentialKind> = operation
        .accepts
        .iter()
        .filter_map(|access| G::kinds().iter().find(|kind| kind.kind == access.kind))
        .collect();
    let mut places: Vec<String> = Vec::new();
    for source in kinds.iter().flat_map(|kind| kind.sources) {
        let place = match source {
            Source::Bearer => "Authorization: Bearer".to_owned(),
            Source::Basic => "Authorization: Basic".to_owned(),
            Source::Header(name) => (*name).to_owned(),
            Source::Query(name) => format!("query parameter {name}"),
            Source::Cookie(name) => format!("cookie {name}"),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let basic = kinds.iter().any(|kind| kind.sources.contains(&Source::Basic));
    let first = kinds.first().and_then(|kind| kind.missing);
    Fault::new(
        StatusCode::UNAUTHORIZED,
        code(first, Problem::Unauthenticated),
        format!("A credential is needed: send it as {}.", places.join(" or ")),
    )
    .header(WWW_AUTHENTICATE, if basic { "Basic" } else { "Bearer" })
}

fn rejected(kind: &CredentialKind, named: Option<&'static str>, message: &'static str) -> Fault {
    let challenge =
        if kind.sources.contains(&Source::Basic) { "Basic" } else { r#"Bearer error="invalid_token""# };
    Fault::new(StatusCode::UNAUTHORIZED, code(named, Problem::Unauthenticated), message)
        .header(WWW_AUTHENTICATE, challenge)
}

/// What is said to whoever acts in none of `roles`.
fn other_role(kind: &CredentialKind, roles: &[&str]) -> Fault {
    let names = roles.join(" or ");
    Fault::new(
        StatusCode::FORBIDDEN,
        code(kind.denied, Problem::Forbidden),
        format!("Only the role {names} may do this. Ask somebody who has it."),
    )
    .detail(format!("needs role {names}"))
}

/// What is said where none of `any` is held.
fn denied(kind: &CredentialKind, any: &[&str]) -> Fault {
    let names = any.join(" or ");
    Fault::new(
        StatusCode::FORBIDDEN,
        code(kind.denied, Problem::Forbidden),
        format!("The credential lacks the scope {names}. Send one that has it."),
    )
    .detail(format!("needs scope {names}"))
    .header(WWW_AUTHENTICATE, format!(r#"Bearer error="insufficient_scope", scope="{}""#, any.join(" ")))
}
