//! S2.3: ids of another tenant find and change nothing, and tenants, roles and scopes that a request claims have no
//! effect. That every query of the store takes a tenant is tested there, in `tenancy`.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use ringnity_api::runtime::{CredentialLocation, ParamLocation};
use ringnity_api::{OPERATIONS, Operation};
use ringnity_store::identity::{self, AgentChanges, NewAgent};
use serde_json::{Map, Value, json};

use super::operations::{
    client, credentials_for, has_id, is_built, kind, members, plain_body, powers, request, scopes, send, with,
};
use crate::support::{TestServer, on_each_engine};

/// Marks content of the other tenant, but nothing that it is found by.
const MARK: &str = "Zanzibar";

/// Rows by table, without what changes by itself: jobs, leased rate limits, and when a key was last used.
fn rows(server: &TestServer) -> BTreeMap<String, Vec<Value>> {
    let mut dump = server.database().dump();
    dump.retain(|table, _| !["jobs", "rate_buckets"].contains(&table.as_str()));
    for rows in dump.values_mut() {
        for row in rows.iter_mut() {
            row.as_object_mut().map(|columns| columns.remove("last_used_at"));
        }
        // PostgreSQL returns an updated row after the others.
        rows.sort_by_cached_key(Value::to_string);
    }
    dump
}

/// The rows of a tenant.
fn rows_of(server: &TestServer, tenant: &str) -> BTreeMap<String, Vec<Value>> {
    let mut dump = rows(server);
    for (table, rows) in &mut dump {
        let column = if table == "tenants" { "id" } else { "tenant_id" };
        rows.retain(|row| row[column] == tenant);
    }
    dump
}

/// Creates one of everything for the other tenant, marked; returns the ids and names that find it and nothing of the
/// first tenant.
async fn create_rows(server: &TestServer) -> BTreeSet<String> {
    let key = server.tenant("other").key.clone();
    let owner = server.owner_token_of(server.tenant("other")).await;
    let contact = json!({ "externalId": "theirs-1", "name": MARK, "phone": "+255", "notes": MARK });
    server.post("/api/server/contacts").bearer(&key).json(&contact).send().await.ok();
    let credential = json!({ "name": MARK, "scopes": ["server:health"] });
    let keys = "/api/sdk/developer/server-api-credentials";
    server.post(keys).bearer(&owner).json(&credential).send().await.status(reqwest::StatusCode::CREATED);
    let application = json!({ "name": MARK, "redirectUris": ["https://zanzibar.example/back"] });
    let clients = "/api/sdk/developer/oauth-clients";
    server.post(clients).bearer(&owner).json(&application).send().await.status(reqwest::StatusCode::CREATED);
    let session = server.visitor_session(&json!({ "slug": "other" })).await;
    let device = json!({ "platform": "ios", "token": "theirs-push", "deviceId": "theirs-device" });
    let push = server.post("/api/sdk/devices/push-token").header("x-ringnity-sdk-session", &session);
    let push = push.json(&device).send().await;
    assert!(push.status.is_success(), "{}", push.text);
    create_agents(server).await;

    let named = |tenant: &str| -> BTreeSet<String> {
        let rows = rows_of(server, tenant);
        let columns = rows.values().flatten().filter_map(Value::as_object).flatten();
        let named = |column: &str| {
            column == "id"
                || column.ends_with("_id")
                || matches!(column, "username" | "email" | "slug" | "public_key")
        };
        let texts = columns.filter(|(column, _)| named(column)).filter_map(|(_, value)| value.as_str());
        texts.map(str::to_owned).collect()
    };
    // Agents of both tenants have the same usernames.
    let ours = named(server.first_tenant().id.as_str());
    let ids: BTreeSet<String> =
        named(server.tenant("other").id.as_str()).difference(&ours).cloned().collect();
    assert!(ids.len() > 12, "{ids:?}");
    ids
}

/// Marks the other tenant's agents and departments, and adds one of each that the first tenant has no counterpart of.
async fn create_agents(server: &TestServer) {
    let (tenant, now) = (server.tenant("other").id.clone(), server.clock.now());
    let made = server.write(move |c| {
        for agent in identity::agent_list(c, &tenant)? {
            let changes =
                AgentChanges { name: Some(format!("{MARK} {}", agent.id)), ..AgentChanges::default() };
            identity::agent_update(c, &tenant, &agent.id, &changes, now)?;
        }
        let department = identity::department_insert(c, &tenant, MARK, now)?;
        let new = NewAgent {
            username: "theirs.one".into(),
            password_hash: None,
            name: MARK.into(),
            email: Some("theirs.one@zanzibar.example".into()),
            role: "admin".into(),
            department_id: Some(department.id),
        };
        identity::agent_insert(c, &tenant, &new, now)
    });
    made.await;
}

/// The table that a member or parameter refers to: `agentId`, `assignedAgentId` and `username` to agents. Names that
/// clients choose (`deviceId`, `externalId`) refer to no table.
fn table_of<'t>(name: &str, tables: &'t BTreeMap<String, Vec<Value>>) -> Option<&'t str> {
    if name == "username" {
        return Some("agents");
    }
    let mut stem = String::new();
    for letter in name.strip_suffix("Id").filter(|_| name != "clientMessageId")?.chars() {
        if letter.is_ascii_uppercase() {
            stem.push('_');
        }
        stem.push(letter.to_ascii_lowercase());
    }
    let one = |table: &&String| {
        let one = table.strip_suffix('s');
        one.is_some_and(|one| {
            stem.strip_suffix(one).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
        })
    };
    tables.keys().find(one).map(String::as_str)
}

/// A caller of the first tenant, with a credential for one operation.
struct Caller<'s> {
    server: &'s TestServer,
    http: &'s reqwest::Client,
    operation: &'static Operation,
    credential: (CredentialLocation, &'s str),
    /// The body that names nothing of another tenant.
    body: &'s Option<Value>,
}

impl Caller<'_> {
    fn request(&self, id: &str, body: Option<&Value>) -> RequestBuilder {
        let (place, credential) = self.credential;
        let asked = with(request(self.server, self.http, self.operation, id), place, credential);
        body.into_iter().fold(asked, |asked, body| asked.json(body))
    }

    /// Sends the request and returns the status. The answer contains nothing of the other tenant.
    async fn send(&self, what: &str, asked: RequestBuilder) -> u16 {
        let (status, _, text) = send(self.operation, what, asked).await;
        assert!(!text.contains(MARK), "{} {what}: tells of another tenant: {text}", self.operation.id);
        status
    }

    /// Sends an id in the path.
    async fn in_path(&self, id: &str) -> u16 {
        let asked = self.request(&id.replace('@', "%40"), self.body.as_ref());
        self.send(&format!("{id} in the path"), asked).await
    }

    /// Sends an id in a query parameter.
    async fn in_query(&self, name: &str, id: &str) -> u16 {
        let asked = self.request("none", self.body.as_ref()).query(&[(name, id)]);
        self.send(&format!("{id} as {name}"), asked).await
    }

    /// Sends an id as a member of an otherwise valid body.
    async fn in_body(&self, member: &str, id: &str) -> u16 {
        let mut body = self.body.clone().expect("a body");
        body[member] = json!(id);
        self.send(&format!("{id} as {member}"), self.request("none", Some(&body))).await
    }

    /// Asserts that the id of another tenant was not found.
    fn assert_not_found(&self, status: u16, place: &str, id: &str) {
        assert_eq!(status, 404, "{}: {place} {id} of another tenant", self.operation.id);
    }
}

#[test]
fn s2_3_another_tenants_ids_find_nothing_and_change_nothing() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .platform_admin()
            .tenant("acme")
            .agent("grace")
            .agent("alan")
            .supervisor("sam")
            .admin("amy")
            .tenant("other")
            .agent("grace")
            .agent("alan")
            .supervisor("sam")
            .admin("amy")
            .start()
            .await;
        let ids = create_rows(&server).await;
        let (http, powers) = (client(), powers(&server).await);
        let tables = rows_of(&server, server.first_tenant().id.as_str());
        let named = |name: &str| table_of(name, &tables);
        let theirs = rows_of(&server, server.tenant("other").id.as_str());
        let (mut paths, mut queries, mut bodies, mut found) = (0, 0, 0, BTreeMap::new());
        for operation in OPERATIONS.iter().copied().filter(|operation| is_built(operation)) {
            let credentials = credentials_for(operation, &powers);
            if credentials.is_empty() {
                continue; // not for callers of a tenant
            }
            let body = &real_body(&server, operation).await;
            let params: Vec<&str> = operation
                .params
                .iter()
                .filter_map(|param| (param.location == ParamLocation::Query).then_some(param.name))
                .collect();
            let labels =
                |name: &str| name.ends_with("Id") || ["id", "slug", "apiKey", "token"].contains(&name);
            for credential in credentials {
                let caller = Caller { server: &server, http: &http, operation, credential, body };
                // References are not found, and nothing changes, not even in the first tenant.
                let before = rows(&server);
                for id in &ids {
                    if has_id(operation) {
                        caller.assert_not_found(caller.in_path(id).await, "path", id);
                        paths += 1;
                    }
                    for name in params.iter().filter(|name| named(name).is_some()) {
                        caller.assert_not_found(caller.in_query(name, id).await, name, id);
                        queries += 1;
                    }
                    for member in members(operation).into_iter().filter(|name| named(name).is_some()) {
                        caller.assert_not_found(caller.in_body(member, id).await, member, id);
                        bodies += 1;
                    }
                }
                assert_eq!(rows(&server), before, "{} changed something", operation.id);
                // The rest are labels and search words, which may create rows of the first tenant.
                for id in &ids {
                    for name in params.iter().filter(|name| named(name).is_none()) {
                        caller.in_query(name, id).await;
                        queries += 1;
                    }
                    let members = members(operation).into_iter();
                    for member in members.filter(|name| labels(name) && named(name).is_none()) {
                        caller.in_body(member, id).await;
                        bodies += 1;
                    }
                }
                // Own ids are found in the same location, so the others were looked up.
                for member in members(operation) {
                    for row in named(member).into_iter().flat_map(|table| &tables[table]) {
                        let own = row[if member == "username" { "username" } else { "id" }].as_str();
                        let status = caller.in_body(member, own.expect("a name")).await;
                        *found.entry((operation.id, member)).or_default() |= status < 300;
                    }
                }
            }
        }
        let other = rows_of(&server, server.tenant("other").id.as_str());
        assert_eq!(other, theirs, "the other tenant's rows");
        ringnity_store::print_always!(
            "another tenant's {} ids: {paths} times in paths, {queries} in queries, {bodies} in bodies; {} members name things",
            ids.len(),
            found.len()
        );
        assert!(paths > 100 && queries > 20 && bodies > 50 && found.len() > 3);
        assert!(found.values().all(|found| *found), "not even found by those whose it is: {found:?}");
    });
}

/// The ids exist: their own tenant finds them.
#[test]
fn s2_3_an_id_is_found_by_its_own_tenant_only() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").agent("grace").start().await;
        create_rows(&server).await;
        let list = server.get("/api/server/contacts").bearer(&server.tenant("other").key).send().await.ok();
        let id = list.data()["contacts"][0]["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/server/contacts/{id}");
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let change = json!({ "name": "Mine now" });
            let theirs =
                server.request(method.clone(), &path).bearer(server.key()).json(&change).send().await;
            assert_eq!(theirs.status, 404, "{method}: {}", theirs.text);
            let own = server.get(&path).bearer(&server.tenant("other").key).send().await.ok();
            assert_eq!(own.data()["contact"]["name"], MARK);
        }
    });
}

/// A body with which the operation succeeds, if the plainest one does not.
async fn real_body(server: &TestServer, operation: &Operation) -> Option<Value> {
    let acme = server.first_tenant();
    let (owner, agent, admin) = (&acme.owner, acme.agent("grace"), server.platform_admin());
    let real = match operation.name {
        "login_owner" => json!({ "email": owner.email, "password": owner.password }),
        "login_workspace" => json!({ "username": agent.username, "password": agent.password }),
        "login_platform_admin" => json!({ "email": admin.email, "password": admin.password }),
        "refresh_owner_session" => {
            let login = json!({ "email": owner.email, "password": owner.password });
            let session = server.post("/api/auth/owner-login").json(&login).send().await.ok();
            json!({ "refreshToken": session.data()["refreshToken"] })
        }
        "create_agent_token" => json!({ "username": agent.username }),
        "create_runtime_session" => json!({ "slug": "acme" }),
        "update_developer_allowed_domains" => json!({ "allowedDomains": ["localhost:3000"] }),
        "create_server_api_credential" => json!({ "name": "n", "scopes": [scopes("server")[0]] }),
        _ => return plain_body(operation),
    };
    Some(real)
}

/// An answer or a row without what differs from request to request.
fn redact(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept =
                members.iter().filter(|(name, _)| !["sequence", "transaction_id"].contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), redact(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(redact).collect()),
        Value::String(text) => {
            let time = text.len() >= 20 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
            let made = text.len() > 24 || time || text.contains('…');
            if made { json!("made") } else { value.clone() }
        }
        other => other.clone(),
    }
}

/// Sends the request of `ask` plain, with additions, and plain again, because the first may create what the others
/// find. The additions may change nothing. Returns whether the operation is implemented.
async fn is_unaffected(
    server: &TestServer,
    operation: &Operation,
    what: &str,
    ask: impl AsyncFn(bool) -> RequestBuilder,
) -> bool {
    let mut outcomes = Vec::new();
    for with_more in [false, true, false] {
        let outcome = outcome(server, operation, what, ask(with_more).await).await;
        if outcome.0 == 501 {
            return false;
        }
        outcomes.push(outcome);
    }
    let same = outcomes[1] == outcomes[0] || outcomes[1] == outcomes[2];
    assert!(same, "{} by {what}: {outcomes:#?}", operation.id);
    true
}

/// The status, the answer, and the new rows.
type Outcome = (u16, Value, Vec<(String, String)>);

async fn outcome(server: &TestServer, operation: &Operation, what: &str, asked: RequestBuilder) -> Outcome {
    let before = rows(server);
    let (status, answer, _) = send(operation, what, asked).await;
    let mut made: Vec<(String, String)> = Vec::new();
    for (table, rows) in rows(server) {
        let old: BTreeSet<String> = before[&table].iter().map(Value::to_string).collect();
        let new = rows.iter().filter(|row| !old.contains(&row.to_string()));
        made.extend(new.map(|row| (table.clone(), redact(row).to_string())));
    }
    made.sort();
    (status, redact(&answer), made)
}

#[test]
fn s2_3_what_a_request_says_of_tenants_roles_and_scopes_has_no_effect() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .admin("amy")
            .tenant("other")
            .platform_admin()
            .start()
            .await;
        let (http, powers) = (client(), powers(&server).await);
        let other = server.tenant("other").id.to_string();
        let claims = json!({
            "tenantId": other, "tenant_id": other, "clientId": other, "client_id": other, "tenant": other,
            "role": "owner", "isAdmin": true, "is_admin": true, "admin": true, "scopes": ["*"], "scope": "*",
            "ownerId": "own_1", "agentId": "agt_1", "isActive": true, "plan": "enterprise", "id": "con_1",
        });
        let theirs = rows_of(&server, &other);
        let mut tried = 0;
        for operation in OPERATIONS.iter().copied().filter(|one| one.success != 302 && !has_id(one)) {
            let known: BTreeSet<&str> = members(operation)
                .into_iter()
                .chain(operation.params.iter().map(|param| param.name))
                .collect();
            let claimed: Map<String, Value> = claims
                .as_object()
                .expect("an object")
                .clone()
                .into_iter()
                .filter(|(name, _)| !known.contains(name.as_str()))
                .collect();
            let query: Vec<(String, String)> = claimed
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or("true").to_owned()))
                .collect();
            let credentials = credentials_for(operation, &powers).into_iter().map(Some);
            for credential in credentials.chain(operation.accepts.is_empty().then_some(None)) {
                let tries = is_unaffected(&server, operation, "claims", async |with_claims| {
                    let body = real_body(&server, operation).await;
                    let mut asked = request(&server, &http, operation, "none");
                    if let Some((place, credential)) = credential {
                        asked = with(asked, place, credential);
                    }
                    if operation.tenant {
                        asked = asked.query(&[("slug", "acme")]);
                    }
                    if let Some(mut body) = body {
                        if let (true, Some(members)) = (with_claims, body.as_object_mut()) {
                            members.extend(claimed.clone());
                        }
                        asked = asked.json(&body);
                    }
                    if with_claims { asked.query(&query) } else { asked }
                });
                tried += usize::from(tries.await);
            }
        }
        assert_eq!(rows_of(&server, &other), theirs, "the other tenant's rows");
        ringnity_store::print_always!(
            "{tried} operations and credentials with {} claims each",
            claims.as_object().map_or(0, Map::len)
        );
        assert!(tried > 20);
    });
}

#[test]
fn s2_3_a_credential_counts_more_than_the_tenant_that_a_request_names() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .admin("amy")
            .tenant("other")
            .platform_admin()
            .start()
            .await;
        let (http, powers) = (client(), powers(&server).await);
        let other = server.tenant("other").clone();
        let theirs = rows_of(&server, other.id.as_str());
        let mut tried = 0;
        for operation in OPERATIONS.iter().copied().filter(|one| one.success != 302 && !has_id(one)) {
            let hints = [("apiKey", other.public_key.as_str()), ("slug", "other")];
            for access in operation.accepts {
                let Some(credential) = powers.get(access.kind) else { continue };
                let tries = is_unaffected(&server, operation, access.kind, async |named| {
                    let asked = request(&server, &http, operation, "none");
                    let mut asked = with(asked, kind(access.kind).locations[0], credential);
                    if let Some(body) = real_body(&server, operation).await {
                        asked = asked.json(&body);
                    }
                    if !named {
                        return asked;
                    }
                    asked
                        .header("host", "other.localhost")
                        .header("x-ringnity-public-key", &other.public_key)
                        .query(&hints)
                });
                tried += usize::from(tries.await);
            }
        }
        assert_eq!(rows_of(&server, other.id.as_str()), theirs, "the other tenant's rows");
        ringnity_store::print_always!(
            "{tried} operations with credentials, and another tenant named beside them"
        );
        assert!(tried > 20);
    });
}
