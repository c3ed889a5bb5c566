//! Callers: credentials, scopes, and the operations of the owner.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::Seed;
use super::answer::{Answer, Fault};
use super::state::{State, TOWNS};
use crate::contract::Operation;

/// The caller of an operation that requires a credential.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub town: usize,
    /// The suffix of its scopes; empty means all scopes.
    scopes: &'static str,
    /// Whether it is a clerk, who may only read.
    clerk: bool,
    revoked: bool,
}

impl Caller {
    fn of(town: usize, scopes: &'static str) -> Self {
        Self { town, scopes, clerk: false, revoked: false }
    }
}

/// Credential kinds, with the error codes for a missing and an invalid one.
const SERVER: (&str, &str) = ("KEY_MISSING", "KEY_INVALID");
const OWNER: (&str, &str) = ("TOKEN_MISSING", "TOKEN_INVALID");

/// Authenticates and authorizes a request. `refused` is called before a caller without the scope is rejected.
pub fn admit(
    state: &mut State,
    operation: &Operation,
    headers: &HeaderMap,
    refused: impl FnOnce(&mut State, usize),
) -> Result<Option<Caller>, Fault> {
    let scheme = operation.raw["security"][0].as_object().and_then(|schemes| schemes.keys().next());
    let (kinds, id) = match scheme.map(String::as_str) {
        None => return Ok(None),
        Some("ServerKey") => ([SERVER].as_slice(), operation.id.as_str()),
        Some("OwnerToken") => ([OWNER].as_slice(), operation.id.as_str()),
        Some(_) => ([SERVER, OWNER].as_slice(), operation.id.as_str()),
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = text("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let mut wrong = None;
    for kind in kinds {
        let own = if *kind == SERVER { text("x-library-key") } else { None };
        let Some(secret) = bearer.or(own).filter(|secret| !secret.is_empty()) else { continue };
        let other_kind = state.has_seed(Seed::OtherKindAccepted) && id == "getOwner";
        let caller = match *kind == SERVER {
            true => key(secret),
            false => state
                .tokens
                .get(secret)
                .map(|(town, clerk)| Caller { clerk: *clerk, ..Caller::of(*town, "") })
                .or_else(|| if other_kind { key(secret) } else { None }),
        };
        let revoked_will_do = state.has_seed(Seed::RevokedAccepted) && id == "listLoans";
        match caller.filter(|caller| !caller.revoked || revoked_will_do) {
            Some(caller) => {
                let lacks = operation.raw["x-scopes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|scope| !holds(&caller, scope));
                let lost = state.has_seed(Seed::ReadScopeLost) && id == "getBook"
                    || state.has_seed(Seed::WriteScopeLost) && id == "updateBook";
                // A server key has no role.
                let role = operation.raw.get("x-roles").is_some() && !state.has_seed(Seed::RoleLost);
                if caller.clerk && role {
                    return Err(Fault::new(403, "ROLE_DENIED", "This is not for clerks."));
                }
                return match lacks {
                    Some(scope) if *kind == SERVER && !lost => {
                        refused(state, caller.town);
                        Err(denied(state, id, scope, secret))
                    }
                    _ => Ok(Some(caller)),
                };
            }
            None if state.has_seed(Seed::GarbageAccepted) && id == "getLoan" => {
                return Ok(Some(Caller::of(0, "")));
            }
            None => {
                wrong.get_or_insert(kind.1);
            }
        }
    }
    if let Some(code) = wrong {
        return Err(Fault::new(401, code, "The credential is not accepted."));
    }
    match state.seed {
        Some(Seed::AnonymousAccepted) if id == "listBooks" => Ok(Some(Caller::of(0, ""))),
        Some(Seed::AnonymousForbidden) if id == "listBooks" => {
            Err(Fault::new(403, "SCOPE_DENIED", "Nobody may do this."))
        }
        _ => Err(Fault::new(401, kinds[0].0, "A credential is needed.")),
    }
}

/// The caller with this server key.
fn key(secret: &str) -> Option<Caller> {
    TOWNS.iter().enumerate().find_map(|(town, keys)| match secret {
        _ if secret == keys.server_key => Some(Caller::of(town, "")),
        _ if secret == keys.reading_key => Some(Caller::of(town, ":read")),
        _ if secret == keys.writing_key => Some(Caller::of(town, ":write")),
        _ if secret == keys.revoked_key => Some(Caller { revoked: true, ..Caller::of(town, "") }),
        _ => None,
    })
}

/// Whether a caller has a scope, or any of a list of scopes.
fn holds(caller: &Caller, scope: &Value) -> bool {
    let one = |scope: &Value| scope.as_str().is_some_and(|scope| scope.ends_with(caller.scopes));
    scope.as_array().map_or_else(|| one(scope), |any| any.iter().any(one))
}

fn denied(state: &State, id: &str, scope: &Value, secret: &str) -> Fault {
    if state.has_seed(Seed::ScopeAsUnauthenticated) && id == "listLoans" {
        return Fault::new(401, SERVER.1, "The credential is not accepted.");
    }
    let fault = Fault::new(403, "SCOPE_DENIED", format!("The credential lacks the scope {scope}."));
    match state.has_seed(Seed::KeyRepeated) {
        true => Fault { message: format!("The key {secret} lacks the scope {scope}."), ..fault },
        false => fault,
    }
}

pub fn login(state: &mut State, body: &Value) -> Result<Answer, Fault> {
    let town = TOWNS.iter().position(|town| {
        let known = body["email"] == town.email || body["email"] == town.clerk;
        known && body["password"] == town.password
    });
    let town =
        town.ok_or_else(|| Fault::new(401, "LOGIN_WRONG", "No owner has this address and password."))?;
    let token = format!("lt.{:016x}.{:016x}", state.number(), state.number());
    state.tokens.insert(token.clone(), (town, body["email"] == TOWNS[town].clerk));
    let body = json!({ "accessToken": token, "tokenType": "Bearer", "expiresIn": 3600 });
    Ok(Answer::json(200, body).header("Cache-Control", "no-store"))
}

pub fn owner(caller: Caller) -> Answer {
    let town = &TOWNS[caller.town];
    let name = town.email.split('@').next().unwrap_or_default();
    Answer::json(200, json!({ "id": town.owner_id, "name": name, "email": town.email, "town": town.name }))
}
