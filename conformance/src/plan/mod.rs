//! What is tried: from one request that works, the variations that the contract says something about.
//!
//! Everything is read from the operation, its schemas and the credentials at hand; the server is not known here,
//! and nothing is sent.

use crate::contract::{Contract, Place};
use crate::credential::Credential;
use crate::draft::{Carried, Draft};
use crate::flows::Scope;

mod bodies;
mod credentials;
mod parameters;
mod probe;

pub use probe::{Expect, Probe};

/// The place from which an operation is tried.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The flow and how many of its steps go before; `None` where the contract's examples will do.
    pub flow: Option<(String, usize)>,
    /// The request that works.
    pub draft: Draft,
    /// What the steps before left.
    pub scope: Scope,
    /// The same request as the other tenant would send it.
    pub other: Option<Draft>,
    /// Where ids stand in it.
    pub spots: Vec<Spot>,
}

/// A place of a step's request that holds what the server made, such as an id.
#[derive(Debug, Clone)]
pub enum Spot {
    /// A parameter.
    Parameter(Place, String),
    /// A place in the body, by JSON pointer.
    Body(String),
}

/// What a plan is made from.
pub struct Planner<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// The credentials of the tenant that is tried.
    pub credentials: &'a [Credential],
    /// The place.
    pub seat: &'a Seat,
    /// What decides the values that are made by chance.
    pub seed: u64,
    /// How many values by chance each body and parameter gets.
    pub cases: usize,
}

impl Planner<'_> {
    fn probe(&self, tried: impl Into<String>, draft: Draft, expect: Expect) -> Probe {
        Probe { tried: tried.into(), draft, expect }
    }

    fn carried(&self, credential: &Credential) -> Carried {
        Carried {
            carry: self.contract.kinds[&credential.kind].carry[0].clone(),
            value: credential.value.clone(),
        }
    }

    /// Requests that must be refused and change nothing.
    pub fn refused(&self) -> Vec<Probe> {
        let mut out = self.misfits();
        out.extend(self.wrong_parameters());
        out.extend(self.wrong_bodies());
        out.extend(self.foreign());
        out
    }

    /// Requests that the contract allows.
    pub fn allowed(&self) -> Vec<Probe> {
        let mut out = vec![self.probe("the request of its flow", self.seat.draft.clone(), Expect::Valid)];
        out.extend(self.carriages());
        out.extend(self.right_parameters());
        out.extend(self.right_bodies());
        out
    }

    /// Ids that do not exist, and those of another tenant.
    fn foreign(&self) -> Vec<Probe> {
        use crate::report::Rule;
        let mut out = Vec::new();
        let draft = &self.seat.draft;
        let refused = |rule: Rule, statuses: Vec<u16>, pointer: String| Expect::Refused {
            rule,
            statuses,
            codes: Vec::new(),
            pointer,
        };
        let bound = draft.credential.is_some() && self.seat.other.is_some();
        for spot in &self.seat.spots {
            match spot {
                Spot::Parameter(place, name) => {
                    let Some(parameter) = draft.operation.parameter(*place, name) else { continue };
                    if *place == Place::Path
                        && draft.operation.method != "PUT"
                        && let Some(unknown) = self.unknown(parameter)
                    {
                        let mut changed = draft.clone();
                        changed.path.insert(name.clone(), unknown);
                        let expect = refused(Rule::Effect, vec![404], parameter.pointer.clone());
                        out.push(self.probe(format!("{name} of nothing that exists"), changed, expect));
                    }
                    let theirs = self.seat.other.as_ref().filter(|_| bound).and_then(|other| match place {
                        Place::Path => other.path.get(name).cloned(),
                        Place::Query => other.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()),
                        Place::Header | Place::Cookie => None,
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
                Spot::Body(pointer) => {
                    let theirs = self.seat.other.as_ref().filter(|_| bound).and_then(|other| other.value());
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
