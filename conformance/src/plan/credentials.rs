//! Every credential that does not fit: none, nonsense, another kind, one that lacks a scope or acts in another role, one
//! that is over.

use super::{Expect, Planner, Probe};
use crate::credential::Credential;
use crate::draft::Carried;
use crate::report::Rule;

/// The state of a credential whose time is over.
const EXPIRED: &str = "expired";

impl Planner<'_> {
    /// The codes of a 401 or 403: those that the settings give for the kinds that the operation takes.
    fn principal_codes(&self, denied: bool) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for kind in &self.seat.draft.operation.access.kinds {
            let Some(principal) = self.contract.kinds.get(kind).and_then(|kind| kind.principal.as_ref())
            else {
                continue;
            };
            let codes = match denied {
                true => vec![&principal.denied],
                false => vec![&principal.missing, &principal.invalid, &principal.expired],
            };
            out.extend(codes.into_iter().flatten().cloned());
        }
        out.dedup();
        out
    }

    fn unauthenticated(&self) -> Expect {
        Expect::Refused {
            rule: Rule::Credential,
            statuses: vec![401],
            codes: self.principal_codes(false),
            pointer: format!("{}/security", self.seat.draft.operation.pointer),
        }
    }

    /// How a credential is refused that is over: one whose time is over in words of its own, where there are any.
    fn over(&self, credential: &Credential, state: &str) -> Expect {
        let principal = self.contract.kinds[&credential.kind].principal.as_ref();
        match (principal.and_then(|kind| kind.expired.as_ref()), self.unauthenticated()) {
            (Some(code), Expect::Refused { rule, statuses, pointer, .. }) if state == EXPIRED => {
                Expect::Refused { rule, statuses, codes: vec![code.clone()], pointer }
            }
            (_, other) => other,
        }
    }

    fn denied(&self) -> Expect {
        Expect::Refused {
            rule: Rule::Scope,
            statuses: vec![403],
            codes: self.principal_codes(true),
            pointer: self.seat.draft.operation.pointer.clone(),
        }
    }

    /// Credentials that must be refused.
    pub(super) fn misfits(&self) -> Vec<Probe> {
        let draft = &self.seat.draft;
        let access = &draft.operation.access;
        let Some(kind) = access.kinds.first().and_then(|kind| self.contract.kinds.get(kind)) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let mut with = |tried: String, credential: Option<Carried>, expect: Expect| {
            let mut changed = draft.clone();
            changed.credential = credential;
            out.push(self.probe(tried, changed, expect));
        };
        if !access.anonymous {
            with("no credential".to_owned(), None, self.unauthenticated());
            for carry in &kind.carry {
                let nonsense = Carried { carry: carry.clone(), value: "conformance:nonsense".to_owned() };
                let tried = format!("a credential that nobody gave, {}", carry.says());
                with(tried, Some(nonsense), self.unauthenticated());
            }
            for other in self.contract.kinds.values().filter(|other| !access.kinds.contains(&other.name)) {
                let usable = |one: &&Credential| one.kind == other.name && one.is_usable();
                let Some(credential) = self.credentials.iter().find(usable) else { continue };
                let mut ways = vec![kind.carry[0].clone()];
                ways.extend(other.carry.first().filter(|own| **own != ways[0]).cloned());
                for carry in ways {
                    let tried = format!("a credential of kind {}, {}", other.name, carry.says());
                    let carried = Carried { carry, value: credential.value.clone() };
                    with(tried, Some(carried), self.unauthenticated());
                }
            }
        }
        for credential in self.credentials.iter().filter(|one| access.kinds.contains(&one.kind)) {
            if let Some(state) = &credential.state {
                let tried = format!("a credential of kind {} that is {state}", credential.kind);
                with(tried, Some(self.carried(credential)), self.over(credential, state));
                continue;
            }
            if let Some(refusal) = credential.refusal_by(&draft.operation) {
                let expect = Expect::Refused {
                    rule: Rule::Scope,
                    statuses: vec![refusal.status],
                    codes: vec![refusal.code.clone()],
                    pointer: draft.operation.pointer.clone(),
                };
                with(credential.name.clone(), Some(self.carried(credential)), expect);
                continue;
            }
            if !credential.acts_for(&draft.operation) {
                let roles = access.roles(&self.contract.kinds[&credential.kind]).join(" or ");
                let tried = format!("{}, whose role is not {roles}", credential.name);
                with(tried, Some(self.carried(credential)), self.denied());
                continue;
            }
            let Some(scopes) = &credential.scopes else { continue };
            let needs = access.needs(&self.contract.kinds[&credential.kind]);
            let lacking = needs.iter().find(|any| !any.iter().any(|scope| scopes.contains(scope)));
            if let Some(lacking) = lacking {
                let tried = format!("{}, which lacks {}", credential.name, lacking.join(" or "));
                with(tried, Some(self.carried(credential)), self.denied());
            }
        }
        out
    }

    /// Credentials that must be accepted: each kind, by each way, and with no more than the scopes that it needs.
    pub(super) fn carriages(&self) -> Vec<Probe> {
        let draft = &self.seat.draft;
        let mut out = Vec::new();
        for kind in &draft.operation.access.kinds {
            let Some(kind) = self.contract.kinds.get(kind) else { continue };
            let opens = |one: &&Credential| {
                one.kind == kind.name
                    && one.state.is_none()
                    && one.acts_for(&draft.operation)
                    && one.refusal_by(&draft.operation).is_none()
            };
            for credential in self.credentials.iter().filter(opens) {
                let needs = draft.operation.access.needs(kind);
                let enough = |scopes: &Vec<String>| {
                    needs.iter().all(|any| any.iter().any(|scope| scopes.contains(scope)))
                };
                if !credential.scopes.as_ref().is_none_or(enough) {
                    continue;
                }
                for carry in &kind.carry {
                    let carried = Carried { carry: carry.clone(), value: credential.value.clone() };
                    let mut changed = draft.clone();
                    changed.credential = Some(carried);
                    let tried = format!("{}, {}", credential.name, carry.says());
                    out.push(self.probe(tried, changed, Expect::Admitted));
                }
            }
        }
        out
    }
}
