//! S2.3: another tenant's ids find nothing and change nothing, and what a request says of tenants, roles and scopes
//! counts for nothing. That every query of the store takes a tenant is shown there, in `tenancy`.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use ringnity_api::runtime::Place;
use ringnity_api::{OPERATIONS, Operation};
use serde_json::{Map, Value, json};

use super::operations::{
    client, has_id, kind, members, plain_body, power, powers, request, scopes, send, with,
};
use crate::support::{TestServer, on_each_engine};

/// Stands in what the other tenant has, but in nothing that it is found by.
const MARK: &str = "Zanzibar";

type Powers = BTreeMap<&'static str, String>;

/// Rows of a tenant by table, those that its requests count in apart.
fn rows_of(server: &TestServer, tenant: &str) -> BTreeMap<String, Vec<Value>> {
    let mut dump = server.database().dump();
    for (table, rows) in &mut dump {
        let column = if table == "tenants" { "id" } else { "tenant_id" };
        rows.retain(|row| row[column] == tenant);
    }
    dump
}

/// Gives the other tenant one of everything, marked; answers the ids and names that it can be found by.
async fn furnish(server: &TestServer) -> BTreeSet<String> {
    let key = server.other_key().to_owned();
    let owner = server.other_owner_token().await;
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

    let rows = rows_of(server, &server.demo.other_tenant.identity.client_id);
    let mut ids = BTreeSet::new();
    for row in rows.values().flatten().filter_map(Value::as_object) {
        for (column, value) in row {
            let named = column == "id"
                || column.ends_with("_id")
                || matches!(column.as_str(), "username" | "email" | "slug" | "public_key");
            if let (true, Some(text)) = (named, value.as_str()) {
                ids.insert(text.to_owned());
            }
        }
    }
    assert!(ids.len() > 12, "{ids:?}");
    ids
}

fn ask(
    server: &TestServer,
    http: &reqwest::Client,
    operation: &Operation,
    powers: &Powers,
    id: &str,
) -> RequestBuilder {
    let asked = request(server, http, operation, id);
    match power(operation, powers) {
        Some((place, credential)) => with(asked, place, credential),
        None => asked,
    }
}

#[test]
fn s2_3_another_tenants_ids_find_nothing_and_change_nothing() {
    on_each_engine(async |server| {
        let ids = furnish(&server).await;
        let (http, powers) = (client(), powers(&server).await);
        let other = server.demo.other_tenant.identity.client_id.clone();
        let before = rows_of(&server, &other);
        let mut counts = (0, 0, 0);
        for operation in OPERATIONS.iter().copied().filter(|operation| power(operation, &powers).is_some()) {
            let body = plain_body(operation);
            let filled = |asked: RequestBuilder| match &body {
                Some(body) => asked.json(body),
                None => asked,
            };
            let silent = |text: &str, what: &str| {
                assert!(!text.contains(MARK), "{} {what}: tells of another tenant: {text}", operation.id);
            };
            for id in ids.iter().filter(|_| has_id(operation)) {
                let id = id.replace('@', "%40");
                let asked = filled(ask(&server, &http, operation, &powers, &id));
                let (status, _, text) = send(operation, &id, asked).await;
                // Also one that the schema of the path does not know, and one that is not built.
                assert!(matches!(status, 404 | 400 | 501), "{} {id}: {status} {text}", operation.id);
                silent(&text, &id);
                counts.0 += 1;
            }
            for param in operation.params.iter().filter(|param| param.place == Place::Query) {
                for id in &ids {
                    let asked =
                        filled(ask(&server, &http, operation, &powers, "none")).query(&[(param.name, id)]);
                    let (_, _, text) = send(operation, id, asked).await;
                    silent(&text, id);
                    counts.1 += 1;
                }
            }
            let named = |member: &str| {
                member.ends_with("Id") || ["id", "username", "slug", "apiKey", "token"].contains(&member)
            };
            for member in members(operation).into_iter().filter(|member| named(member)) {
                for id in &ids {
                    let mut body = body.clone().expect("a body");
                    body[member] = json!(id);
                    // An id of ours in the other's place, so that what is found would be theirs.
                    let asked = ask(&server, &http, operation, &powers, "none").json(&body);
                    let (_, _, text) = send(operation, &format!("{member} {id}"), asked).await;
                    silent(&text, member);
                    counts.2 += 1;
                }
            }
        }
        assert_eq!(rows_of(&server, &other), before, "the other tenant's rows");
        ringnity_store::tell!(
            "another tenant's {} ids: {} times in paths, {} in queries, {} in bodies",
            ids.len(),
            counts.0,
            counts.1,
            counts.2
        );
        assert!(counts.0 > 100 && counts.1 > 20 && counts.2 > 50);
    });
}

/// The ids are real: their own tenant finds them.
#[test]
fn s2_3_an_id_is_found_by_its_own_tenant_only() {
    on_each_engine(async |server| {
        furnish(&server).await;
        let list = server.get("/api/server/contacts").bearer(server.other_key()).send().await.ok();
        let id = list.data()["contacts"][0]["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/server/contacts/{id}");
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let change = json!({ "name": "Mine now" });
            let theirs =
                server.request(method.clone(), &path).bearer(server.key()).json(&change).send().await;
            assert_eq!(theirs.status, 404, "{method}: {}", theirs.text);
            let own = server.get(&path).bearer(server.other_key()).send().await.ok();
            assert_eq!(own.data()["contact"]["name"], MARK);
        }
    });
}

/// What an operation of ours is asked with so that it succeeds, where the plainest body does not do that.
async fn real_body(server: &TestServer, operation: &Operation) -> Option<Value> {
    let demo = &server.demo;
    let (owner, agent, admin) = (&demo.first.owner, &demo.first.agents[0], &demo.platform_admin);
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
        "create_runtime_session" => json!({ "slug": "demo" }),
        "update_developer_allowed_domains" => json!({ "allowedDomains": ["localhost:3000"] }),
        "create_server_api_credential" => json!({ "name": "n", "scopes": [scopes("server")[0]] }),
        _ => return plain_body(operation),
    };
    Some(real)
}

/// An answer or a row without what differs from one request to the next.
fn scrub(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept =
                members.iter().filter(|(name, _)| !["sequence", "transaction_id"].contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), scrub(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(scrub).collect()),
        Value::String(text) => {
            let time = text.len() >= 20 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
            let made = text.len() > 24 || time || text.contains('…');
            if made { json!("made") } else { value.clone() }
        }
        other => other.clone(),
    }
}

/// The status and the answer, and the rows that were not there before.
type Outcome = (u16, Value, Vec<(String, String)>);

async fn outcome(server: &TestServer, operation: &Operation, what: &str, asked: RequestBuilder) -> Outcome {
    let before = server.database().dump();
    let (status, answer, _) = send(operation, what, asked).await;
    let mut made: Vec<(String, String)> = Vec::new();
    // Jobs are nobody's request, and run when they like; how many requests a node has leased, and when a key was
    // last used, is noted now and then.
    let kept = |row: &Value| {
        let mut row = row.clone();
        row.as_object_mut().map(|columns| columns.remove("last_used_at"));
        row
    };
    for (table, rows) in server.database().dump() {
        if ["jobs", "rate_buckets"].contains(&table.as_str()) {
            continue;
        }
        let old: BTreeSet<String> = before[&table].iter().map(|row| kept(row).to_string()).collect();
        let new = rows.iter().map(kept).filter(|row| !old.contains(&row.to_string()));
        made.extend(new.map(|row| (table.clone(), scrub(&row).to_string())));
    }
    made.sort();
    (status, scrub(&answer), made)
}

#[test]
fn s2_3_what_a_request_says_of_tenants_roles_and_scopes_has_no_effect() {
    on_each_engine(async |server| {
        let (http, powers) = (client(), powers(&server).await);
        let other = server.demo.other_tenant.identity.client_id.clone();
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
            // Plain, with claims, plain again: the first may make what the others find.
            let mut outcomes = Vec::new();
            for with_claims in [false, true, false] {
                let body = real_body(&server, operation).await;
                let mut asked = ask(&server, &http, operation, &powers, "none");
                if operation.tenant {
                    asked = asked.query(&[("slug", "demo")]);
                }
                if let Some(mut body) = body {
                    if let (true, Some(members)) = (with_claims, body.as_object_mut()) {
                        members.extend(claimed.clone());
                    }
                    asked = asked.json(&body);
                }
                if with_claims {
                    asked = asked.query(&query);
                }
                let outcome = outcome(&server, operation, "claims", asked).await;
                let status = outcome.0;
                outcomes.push(outcome);
                if status == 501 {
                    break;
                }
            }
            if outcomes.len() < 3 {
                continue;
            }
            let like_the_first = outcomes[1] == outcomes[0];
            assert!(like_the_first || outcomes[1] == outcomes[2], "{}: {outcomes:#?}", operation.id);
            tried += 1;
        }
        assert_eq!(rows_of(&server, &other), theirs, "the other tenant's rows");
        ringnity_store::tell!(
            "{tried} operations with {} claims each",
            claims.as_object().map_or(0, Map::len)
        );
        assert!(tried > 20);
    });
}

#[test]
fn s2_3_a_credential_counts_more_than_the_tenant_that_a_request_names() {
    on_each_engine(async |server| {
        let (http, powers) = (client(), powers(&server).await);
        let other = server.demo.other_tenant.identity.clone();
        let theirs = rows_of(&server, &other.client_id);
        let mut tried = 0;
        for operation in OPERATIONS.iter().copied().filter(|one| one.success != 302 && !has_id(one)) {
            let hints = [("apiKey", other.public_key.as_str()), ("slug", "other")];
            for access in operation.accepts {
                let Some(credential) = powers.get(access.kind) else { continue };
                // Plain, with the other tenant named, plain again: the first may make what the others find.
                let mut outcomes = Vec::new();
                for named in [false, true, false] {
                    let asked = request(&server, &http, operation, "none");
                    let mut asked = with(asked, kind(access.kind).sources[0], credential);
                    if let Some(body) = real_body(&server, operation).await {
                        asked = asked.json(&body);
                    }
                    if named {
                        asked = asked
                            .header("host", "other.localhost")
                            .header("x-ringnity-public-key", &other.public_key)
                            .query(&hints);
                    }
                    let outcome = outcome(&server, operation, access.kind, asked).await;
                    let status = outcome.0;
                    outcomes.push(outcome);
                    if status == 501 {
                        break;
                    }
                }
                if outcomes.len() < 3 {
                    continue;
                }
                let like_the_first = outcomes[1] == outcomes[0];
                assert!(
                    like_the_first || outcomes[1] == outcomes[2],
                    "{} by {}: {outcomes:#?}",
                    operation.id,
                    access.kind
                );
                tried += 1;
            }
        }
        assert_eq!(rows_of(&server, &other.client_id), theirs, "the other tenant's rows");
        ringnity_store::tell!("{tried} operations with credentials, and another tenant named beside them");
        assert!(tried > 20);
    });
}
