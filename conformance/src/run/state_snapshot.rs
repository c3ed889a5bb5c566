//! Looks at what the server holds, before and after requests that it had to refuse: both looks must be equal.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::engine::Engine;
use crate::checker::Finding;
use crate::draft::{CredentialPlacement, Draft};
use crate::plan::{BaseRequest, Probe};
use crate::report::Rule;
use crate::values::escape;
use crate::wire::{Response, truncate};

/// Reading requests, and what they answered.
pub struct StateSnapshot {
    drafts: Vec<Draft>,
    before: Vec<Option<Value>>,
}

impl StateSnapshot {
    /// All reads that the base requests know of, on both tenants, and a first look.
    pub async fn capture(engine: &Engine, base_requests: &[BaseRequest]) -> Self {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut known = BTreeSet::new();
        let mut add = |draft: &Draft| {
            let key = draft.request().map(|request| (request.target, request.headers));
            if draft.operation.is_read_only() && key.is_ok_and(|key| known.insert(key)) {
                drafts.push(draft.clone());
            }
        };
        for base in base_requests {
            add(&base.draft);
            base.other_tenant.iter().for_each(&mut add);
            // The other reads of the flow, as far as what the steps before left lets them be made.
            let Some((workflow, tenant)) =
                base.flow.as_ref().and_then(|(id, _)| Some((engine.flows.workflow(id)?, engine.tenant(0)?)))
            else {
                continue;
            };
            for step in &workflow.steps {
                if engine.contract.operation(&step.operation_id).is_some_and(|one| one.is_read_only())
                    && let Ok(draft) = engine.draft(tenant, step, &base.scope)
                {
                    add(&draft);
                }
            }
        }
        drafts.retain(|draft| engine.record.is_implemented(&draft.operation.id));
        let mut before = read_all(engine, &drafts).await;
        if engine.volatile.get().is_none() {
            // What counts seconds moves by itself, and when a credential was last used moves by looking.
            use_all_credentials(engine, &drafts).await;
            tokio::time::sleep(engine.options.pause).await;
            let after = read_all(engine, &drafts).await;
            let mut volatile: HashMap<String, BTreeSet<String>> = HashMap::new();
            for (draft, (before, after)) in drafts.iter().zip(before.iter().zip(&after)) {
                let places = changed_pointers(before.as_ref(), after.as_ref());
                volatile.entry(draft.operation.id.clone()).or_default().extend(places);
            }
            let _ = engine.volatile.set(volatile);
            before = after;
        }
        Self { drafts, before }
    }

    /// The first place at which a read says another thing than before, apart from what moves by itself.
    fn first_change(
        &self,
        engine: &Engine,
        index: usize,
        before: &[Option<Value>],
        after: &[Option<Value>],
    ) -> Option<String> {
        let volatile =
            engine.volatile.get().and_then(|volatile| volatile.get(&self.drafts[index].operation.id));
        changed_pointers(before[index].as_ref(), after[index].as_ref())
            .into_iter()
            .find(|pointer| volatile.is_none_or(|volatile| !volatile.contains(pointer)))
    }

    /// Looks again. Where something changed, the requests that must be refused are made once more, on what is made
    /// anew for each, to find the one that did it.
    pub async fn compare(mut self, engine: &Engine, base_requests: &[BaseRequest]) {
        engine.record.count_checks(self.drafts.iter().map(|_| Rule::Effect));
        if !self.has_changed(engine).await {
            return;
        }
        for base in base_requests.iter().filter(|base| !base.draft.operation.is_read_only()) {
            let Some(fresh) = base.refresh(engine).await else { continue };
            let mut snapshot = Self::capture(engine, std::slice::from_ref(&fresh)).await;
            snapshot.add(engine, &self.drafts).await;
            // What is taken although it had to be refused may change what it will: that was found already. So only what
            // is refused is made once more, first all of it, then one by one.
            let mut refused = Vec::new();
            let probes = rejected_probes(engine, &fresh);
            for (index, probe) in probes.iter().enumerate() {
                if !engine.send_probe(probe).await.is_some_and(|answer| answer.is_success()) {
                    refused.push(index);
                }
            }
            if !snapshot.has_changed(engine).await {
                continue;
            }
            if refused.len() < probes.len() {
                let Some(fresh) = base.refresh(engine).await else { continue };
                let mut snapshot = Self::capture(engine, std::slice::from_ref(&fresh)).await;
                snapshot.add(engine, &self.drafts).await;
                let probes = rejected_probes(engine, &fresh);
                for probe in refused.iter().filter_map(|index| probes.get(*index)) {
                    engine.send_probe(probe).await;
                }
                if !snapshot.has_changed(engine).await {
                    continue;
                }
            }
            for index in refused {
                if engine.stop_reason().is_some() {
                    return;
                }
                let Some(fresh) = base.refresh(engine).await else { break };
                let mut snapshot = Self::capture(engine, std::slice::from_ref(&fresh)).await;
                snapshot.add(engine, &self.drafts).await;
                if let Some(probe) = rejected_probes(engine, &fresh).get(index) {
                    snapshot.attribute_change(engine, probe).await;
                }
            }
        }
    }

    /// Takes in more snapshot.
    async fn add(&mut self, engine: &Engine, drafts: &[Draft]) {
        self.before.extend(read_all(engine, drafts).await);
        self.drafts.extend(drafts.iter().cloned());
    }

    /// Makes one request, and records it when something changed by it although it was refused.
    async fn attribute_change(&mut self, engine: &Engine, probe: &Probe) {
        let Ok(request) = probe.draft.request() else { return };
        let before = self.before.clone();
        let operation = &probe.draft.operation;
        let answer = engine.call(operation, &probe.description, &request, |_, _| {}).await;
        if !self.has_changed(engine).await || answer.as_ref().is_none_or(Response::is_success) {
            return;
        }
        let place = (0..self.drafts.len())
            .find_map(|index| Some((index, self.first_change(engine, index, &before, &self.before)?)));
        let Some((index, pointer)) = place else { return };
        let read = &self.drafts[index].operation.id;
        let shown = |value: &Option<Value>| {
            let text = value.as_ref().map(ToString::to_string).unwrap_or_default();
            truncate(&text, 150)
        };
        let expected = format!("a refused request changes nothing: {read} answers as before");
        let seen = format!("{} and now {}", shown(&before[index]), shown(&self.before[index]));
        let finding = Finding::new(Rule::Effect, pointer, expected, seen);
        engine.record_exchange(operation, &probe.description, &request, answer.as_ref(), vec![finding]);
    }

    /// Whether something is different than at the last look.
    async fn has_changed(&mut self, engine: &Engine) -> bool {
        self.first_difference(engine).await.is_some()
    }

    /// A place that is different than at the last look; this look is the last one from now on.
    pub async fn first_difference(&mut self, engine: &Engine) -> Option<String> {
        let after = read_all(engine, &self.drafts).await;
        let changed = (0..after.len()).find_map(|index| {
            let place = self.first_change(engine, index, &self.before, &after)?;
            Some(format!("{} {place}", self.drafts[index].operation.id).trim_end().to_owned())
        });
        self.before = after;
        changed
    }
}

fn rejected_probes(engine: &Engine, base: &BaseRequest) -> Vec<Probe> {
    engine.tenant(0).map(|tenant| engine.planner(tenant, base).rejected()).unwrap_or_default()
}

/// Uses every credential once.
async fn use_all_credentials(engine: &Engine, drafts: &[Draft]) {
    for tenant in engine.tenants.get().into_iter().flatten() {
        for credential in tenant.credentials.iter().filter(|credential| credential.is_usable()) {
            let reads = |draft: &&Draft| draft.operation.access.kinds.contains(&credential.kind);
            let Some(mut draft) = drafts.iter().find(reads).cloned() else { continue };
            let location = engine.contract.kinds[&credential.kind].locations[0].clone();
            draft.credential = Some(CredentialPlacement { location, value: credential.value.clone() });
            if let Ok(request) = draft.request() {
                engine.call(&draft.operation, "a look with each credential", &request, |_, _| {}).await;
            }
        }
    }
}

async fn read_all(engine: &Engine, drafts: &[Draft]) -> Vec<Option<Value>> {
    let mut out = Vec::new();
    for draft in drafts {
        let answer = match draft.request() {
            Ok(request) => {
                engine.call(&draft.operation, "a look at what is there", &request, |_, _| {}).await
            }
            Err(_) => None,
        };
        out.push(answer.and_then(|answer| answer.json()));
    }
    out
}

/// Pointers at which two values differ, with `*` for indexes.
fn changed_pointers(before: Option<&Value>, after: Option<&Value>) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    match (before, after) {
        (Some(before), Some(after)) => collect_changes(before, after, &mut String::new(), &mut out),
        (None, None) => {}
        _ => drop(out.insert(String::new())),
    }
    out
}

fn collect_changes(before: &Value, after: &Value, at: &mut String, out: &mut BTreeSet<String>) {
    let length = at.len();
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                at.push('/');
                at.push_str(&escape(name));
                match (before.get(name), after.get(name)) {
                    (Some(before), Some(after)) => collect_changes(before, after, at, out),
                    _ => drop(out.insert(at.clone())),
                }
                at.truncate(length);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            at.push_str("/*");
            before.iter().zip(after).for_each(|(before, after)| collect_changes(before, after, at, out));
            at.truncate(length);
        }
        (before, after) => {
            if before != after {
                out.insert(at.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_changed_pointers() {
        let before = json!({ "items": [{ "id": 1, "at": 5 }], "total": 1, "gone": true });
        let after = json!({ "items": [{ "id": 1, "at": 6 }], "total": 2 });
        let changed: Vec<String> = changed_pointers(Some(&before), Some(&after)).into_iter().collect();
        assert_eq!(changed, ["/gone", "/items/*/at", "/total"]);
    }
}
