//! Probes of the credential: missing, unknown, of another kind, without a scope, in another role, revoked or expired.

use super::{Expectation, Planner, Probe};
use crate::credential::Credential;
use crate::draft::CredentialPlacement;
use crate::report::Rule;

/// The state of an expired credential.
const EXPIRED: &str = "expired";

impl Planner<'_> {
    /// The error codes that the settings define for the accepted credential kinds: for 403 if `denied`, else for 401.
    fn principal_codes(&self, denied: bool) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for kind in &self.base.draft.operation.access.kinds {
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

    fn expect_unauthenticated(&self) -> Expectation {
        Expectation::Rejected {
            rule: Rule::Credential,
            statuses: vec![401],
            codes: self.principal_codes(false),
            pointer: format!("{}/security", self.base.draft.operation.pointer),
        }
    }

    /// How a credential in this state is rejected. An expired one has an error code of its own if the settings define
    /// one.
    fn expect_expired(&self, credential: &Credential, state: &str) -> Expectation {
        let principal = self.contract.kinds[&credential.kind].principal.as_ref();
        match (principal.and_then(|kind| kind.expired.as_ref()), self.expect_unauthenticated()) {
            (Some(code), Expectation::Rejected { rule, statuses, pointer, .. }) if state == EXPIRED => {
                Expectation::Rejected { rule, statuses, codes: vec![code.clone()], pointer }
            }
            (_, other) => other,
        }
    }

    fn expect_denied(&self) -> Expectation {
        Expectation::Rejected {
            rule: Rule::Scope,
            statuses: vec![403],
            codes: self.principal_codes(true),
            pointer: self.base.draft.operation.pointer.clone(),
        }
    }

    /// Credentials that must be rejected.
    pub(super) fn wrong_credentials(&self) -> Vec<Probe> {
        let draft = &self.base.draft;
        let access = &draft.operation.access;
        let Some(kind) = access.kinds.first().and_then(|kind| self.contract.kinds.get(kind)) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let mut with = |tried: String, credential: Option<CredentialPlacement>, expect: Expectation| {
            let mut changed = draft.clone();
            changed.credential = credential;
            out.push(self.probe(tried, changed, expect));
        };
        if !access.anonymous {
            with("no credential".to_owned(), None, self.expect_unauthenticated());
            for location in &kind.locations {
                let nonsense = CredentialPlacement {
                    location: location.clone(),
                    value: "conformance:nonsense".to_owned(),
                };
                let tried = format!("unknown credential {}", location.describe());
                with(tried, Some(nonsense), self.expect_unauthenticated());
            }
            for other in self.contract.kinds.values().filter(|other| !access.kinds.contains(&other.name)) {
                let usable = |one: &&Credential| one.kind == other.name && one.is_usable();
                let Some(credential) = self.credentials.iter().find(usable) else { continue };
                let mut ways = vec![kind.locations[0].clone()];
                ways.extend(other.locations.first().filter(|own| **own != ways[0]).cloned());
                for location in ways {
                    let tried = format!("credential of kind {} {}", other.name, location.describe());
                    let placement = CredentialPlacement { location, value: credential.value.clone() };
                    with(tried, Some(placement), self.expect_unauthenticated());
                }
            }
        }
        for credential in self.credentials.iter().filter(|one| access.kinds.contains(&one.kind)) {
            if let Some(state) = &credential.state {
                let tried = format!("{state} credential of kind {}", credential.kind);
                with(
                    tried,
                    Some(self.credential_placement(credential)),
                    self.expect_expired(credential, state),
                );
                continue;
            }
            if let Some(refusal) = credential.refusal_by(&draft.operation) {
                let expect = Expectation::Rejected {
                    rule: Rule::Scope,
                    statuses: vec![refusal.status],
                    codes: vec![refusal.code.clone()],
                    pointer: draft.operation.pointer.clone(),
                };
                with(credential.name.clone(), Some(self.credential_placement(credential)), expect);
                continue;
            }
            if !credential.acts_for(&draft.operation) {
                let roles = access.required_roles(&self.contract.kinds[&credential.kind]).join(" or ");
                let tried = format!("{} without the role {roles}", credential.name);
                with(tried, Some(self.credential_placement(credential)), self.expect_denied());
                continue;
            }
            let Some(scopes) = &credential.scopes else { continue };
            let needs = access.required_scopes(&self.contract.kinds[&credential.kind]);
            let lacking = needs.iter().find(|any| !any.iter().any(|scope| scopes.contains(scope)));
            if let Some(lacking) = lacking {
                let tried = format!("{} without the scope {}", credential.name, lacking.join(" or "));
                with(tried, Some(self.credential_placement(credential)), self.expect_denied());
            }
        }
        out
    }

    /// Credentials that must be accepted: each kind, in each location, with no more scopes than it needs.
    pub(super) fn credential_locations(&self) -> Vec<Probe> {
        let draft = &self.base.draft;
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
                let needs = draft.operation.access.required_scopes(kind);
                let enough = |scopes: &Vec<String>| {
                    needs.iter().all(|any| any.iter().any(|scope| scopes.contains(scope)))
                };
                if !credential.scopes.as_ref().is_none_or(enough) {
                    continue;
                }
                for location in &kind.locations {
                    let placement =
                        CredentialPlacement { location: location.clone(), value: credential.value.clone() };
                    let mut changed = draft.clone();
                    changed.credential = Some(placement);
                    let tried = format!("{} {}", credential.name, location.describe());
                    out.push(self.probe(tried, changed, Expectation::Authorized));
                }
            }
        }
        out
    }
}
