//! Plans the probes of an operation: variations of a request that succeeds, each with the expected result.
//!
//! Everything is derived from the operation, its schemas and the credentials. Nothing is sent.

use crate::contract::{Contract, ParameterLocation};
use crate::credential::Credential;
use crate::draft::{CredentialPlacement, Draft};
use crate::flows::ExpressionContext;

mod bodies;
mod credentials;
mod parameters;
mod probe;

pub use probe::{Expectation, Probe};

/// A request of an operation that succeeds. Probes vary it.
#[derive(Debug, Clone)]
pub struct BaseRequest {
    /// The flow that it comes from, and the number of steps before it; `None` if it is made from the contract's
    /// examples.
    pub flow: Option<(String, usize)>,
    /// The request.
    pub draft: Draft,
    /// The expression context after the steps before it.
    pub context: ExpressionContext,
    /// The same request of the other tenant.
    pub other_tenant: Option<Draft>,
    /// Where the request contains values that the server created.
    pub id_locations: Vec<IdLocation>,
}

/// A place in a request with a value that the server created, such as an id.
#[derive(Debug, Clone)]
pub enum IdLocation {
    /// A parameter.
    Parameter(ParameterLocation, String),
    /// A member of the body, by JSON pointer.
    Body(String),
}

/// Plans the probes of one operation.
pub struct Planner<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// The credentials of the tenant under test.
    pub credentials: &'a [Credential],
    /// The request to vary.
    pub base: &'a BaseRequest,
    /// Seed of the random values.
    pub seed: u64,
    /// Number of random values per body and parameter.
    pub cases: usize,
}

impl Planner<'_> {
    fn probe(&self, description: impl Into<String>, draft: Draft, expect: Expectation) -> Probe {
        Probe { description: description.into(), draft, expect }
    }

    fn credential_placement(&self, credential: &Credential) -> CredentialPlacement {
        CredentialPlacement {
            location: self.contract.kinds[&credential.kind].locations[0].clone(),
            value: credential.value.clone(),
        }
    }

    /// Requests that must be rejected and must not change anything.
    pub fn rejected(&self) -> Vec<Probe> {
        let mut out = self.wrong_credentials();
        out.extend(self.invalid_parameters());
        out.extend(self.invalid_bodies());
        out.extend(self.unknown_and_foreign_ids());
        out
    }

    /// Requests that the contract allows.
    pub fn allowed(&self) -> Vec<Probe> {
        let mut out = vec![self.probe("request of the flow", self.base.draft.clone(), Expectation::Valid)];
        out.extend(self.credential_locations());
        out.extend(self.valid_parameters());
        out.extend(self.valid_bodies());
        out
    }

    /// Requests with ids that do not exist, and with ids of the other tenant.
    fn unknown_and_foreign_ids(&self) -> Vec<Probe> {
        use crate::report::Rule;
        let mut out = Vec::new();
        let draft = &self.base.draft;
        let refused = |rule: Rule, statuses: Vec<u16>, pointer: String| Expectation::Rejected {
            rule,
            statuses,
            codes: Vec::new(),
            pointer,
        };
        let bound = draft.credential.is_some() && self.base.other_tenant.is_some();
        for id_location in &self.base.id_locations {
            match id_location {
                IdLocation::Parameter(place, name) => {
                    let Some(parameter) = draft.operation.parameter(*place, name) else { continue };
                    if *place == ParameterLocation::Path
                        && draft.operation.method != "PUT"
                        && let Some(unknown) = self.unknown_id(parameter)
                    {
                        let mut changed = draft.clone();
                        changed.path.insert(name.clone(), unknown);
                        let expect = refused(Rule::Effect, vec![404], parameter.pointer.clone());
                        out.push(self.probe(format!("{name} that does not exist"), changed, expect));
                    }
                    let theirs =
                        self.base.other_tenant.as_ref().filter(|_| bound).and_then(|other| match place {
                            ParameterLocation::Path => other.path.get(name).cloned(),
                            ParameterLocation::Query => {
                                other.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
                            }
                            ParameterLocation::Header | ParameterLocation::Cookie => None,
                        });
                    if let Some(theirs) = theirs {
                        let mut changed = draft.clone();
                        let value = serde_json::Value::String(theirs);
                        if changed.set(parameter, Some(&value)).is_ok() {
                            let expect = refused(Rule::Tenant, vec![404], parameter.pointer.clone());
                            out.push(self.probe(format!("{name} of another tenant"), changed, expect));
                        }
                    }
                }
                IdLocation::Body(pointer) => {
                    let theirs =
                        self.base.other_tenant.as_ref().filter(|_| bound).and_then(|other| other.value());
                    let (Some(ours), Some(theirs)) =
                        (draft.value(), theirs.and_then(|body| body.pointer(pointer)))
                    else {
                        continue;
                    };
                    let mut body = ours.clone();
                    if let Some(place) = body.pointer_mut(pointer) {
                        *place = theirs.clone();
                        let at = format!("{}/requestBody", draft.operation.pointer);
                        let expect = refused(Rule::Tenant, vec![404, 400, 403, 409, 422], at);
                        let tried = format!("body with {pointer} of another tenant");
                        out.push(self.probe(tried, draft.with_value(body), expect));
                    }
                }
            }
        }
        out
    }
}
