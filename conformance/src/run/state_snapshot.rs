//! Snapshots of the server's state. The state before and after requests that must be rejected has to be equal.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::engine::Engine;
use crate::checker::Finding;
use crate::draft::{CredentialPlacement, Draft};
use crate::plan::{BaseRequest, Probe};
use crate::report::Rule;
use crate::values::escape;
use crate::wire::{Response, truncate};

/// Read requests and their responses.
pub struct StateSnapshot {
    drafts: Vec<Draft>,
    before: Vec<Option<Value>>,
}

impl StateSnapshot {
    /// Captures the responses of all reads that the base requests know, for both tenants.
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
            // The other reads of the flow, as far as the outputs of the steps before allow.
            let Some((workflow, tenant)) =
                base.flow.as_ref().and_then(|(id, _)| Some((engine.flows.workflow(id)?, engine.tenant(0)?)))
            else {
                continue;
            };
            for step in &workflow.steps {
                if engine.contract.operation(&step.operation_id).is_some_and(|one| one.is_read_only())
                    && let Ok(draft) = engine.draft(tenant, step, &base.context)
                {
                    add(&draft);
                }
            }
        }
        drafts.retain(|draft| engine.record.is_implemented(&draft.operation.id));
        let mut before = read_all(engine, &drafts).await;
        if engine.volatile.get().is_none() {
            // Some members change by themselves, such as an uptime, and some by reading, such as the last use of a
            // credential. They are ignored.
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

    /// The first place where a response changed, apart from members that change by themselves.
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

    /// Compares the current state with the snapshot. After a change, the requests that must be rejected are sent
    /// again, each on new data, to find the one that caused it.
    pub async fn compare(mut self, engine: &Engine, base_requests: &[BaseRequest]) {
        engine.record.count_checks(self.drafts.iter().map(|_| Rule::Effect));
        if !self.has_changed(engine).await {
            return;
        }
        for base in base_requests.iter().filter(|base| !base.draft.operation.is_read_only()) {
            let Some(fresh) = base.refresh(engine).await else { continue };
            let mut snapshot = Self::capture(engine, std::slice::from_ref(&fresh)).await;
            snapshot.add(engine, &self.drafts).await;
            // A request that was wrongly accepted may change the state, and has been reported. So only those that
            // were rejected are sent again, first all of them, then one by one.
            let mut refused = Vec::new();
            let probes = rejected_probes(engine, &fresh);
            for (index, probe) in probes.iter().enumerate() {
                if !engine.send_probe(probe).await.is_some_and(|response| response.is_success()) {
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

    /// Adds reads to the snapshot.
    async fn add(&mut self, engine: &Engine, drafts: &[Draft]) {
        self.before.extend(read_all(engine, drafts).await);
        self.drafts.extend(drafts.iter().cloned());
    }

    /// Sends one request, and reports it if it was rejected and the state changed all the same.
    async fn attribute_change(&mut self, engine: &Engine, probe: &Probe) {
        let Ok(request) = probe.draft.request() else { return };
        let before = self.before.clone();
        let operation = &probe.draft.operation;
        let response = engine.call(operation, &probe.description, &request, |_, _| {}).await;
        if !self.has_changed(engine).await || response.as_ref().is_none_or(Response::is_success) {
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
        let expected = format!("a rejected request changes nothing: {read} responds as before");
        let seen = format!("{}, then {}", shown(&before[index]), shown(&self.before[index]));
        let finding = Finding::new(Rule::Effect, pointer, expected, seen);
        engine.record_exchange(operation, &probe.description, &request, response.as_ref(), vec![finding]);
    }

    /// Whether the state differs from the snapshot. Updates the snapshot.
    async fn has_changed(&mut self, engine: &Engine) -> bool {
        self.first_difference(engine).await.is_some()
    }

    /// The first place that differs from the snapshot. Updates the snapshot.
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

/// Sends one read with every credential.
async fn use_all_credentials(engine: &Engine, drafts: &[Draft]) {
    for tenant in engine.tenants.get().into_iter().flatten() {
        for credential in tenant.credentials.iter().filter(|credential| credential.is_usable()) {
            let reads = |draft: &&Draft| draft.operation.access.kinds.contains(&credential.kind);
            let Some(mut draft) = drafts.iter().find(reads).cloned() else { continue };
            let location = engine.contract.kinds[&credential.kind].locations[0].clone();
            draft.credential = Some(CredentialPlacement { location, value: credential.value.clone() });
            if let Ok(request) = draft.request() {
                engine.call(&draft.operation, "read with each credential", &request, |_, _| {}).await;
            }
        }
    }
}

async fn read_all(engine: &Engine, drafts: &[Draft]) -> Vec<Option<Value>> {
    let mut out = Vec::new();
    for draft in drafts {
        let response = match draft.request() {
            Ok(request) => {
                engine.call(&draft.operation, "read for a state snapshot", &request, |_, _| {}).await
            }
            Err(_) => None,
        };
        out.push(response.and_then(|response| response.json()));
    }
    out
}

/// JSON pointers of the differences between two values, with `*` for array indexes.
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
