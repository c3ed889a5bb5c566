//! SDK tokens that the Server API makes for agents, administrators and visitor contexts, and what they allow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use ringnity_store::identity::{self, AgentChanges};
use ringnity_store::tenants::{self, ServerCredentialChanges};
use ringnity_store::{StoreError, TenantId, visitors};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, on_each_engine};

const AGENT: &str = "/api/server/sdk-token/agent";
const ADMIN: &str = "/api/server/sdk-token/admin";
const CONTEXT: &str = "/api/server/visitor-context-token";
const DEVICES: &str = "/api/sdk/devices/push-token";

/// A request that agents, administrators and visitors may make and that finds nothing.
async fn probe(server: &TestServer, token: &str) -> Answer {
    let body = json!({ "deviceId": "no such device" });
    server.delete(DEVICES).header("x-ringnity-sdk-session", token).json(&body).send().await
}

const ACCEPTED: (u16, &str) = (404, "SDK_DEVICE_TOKEN_NOT_FOUND");

async fn make(server: &TestServer, path: &str, body: Value) -> Answer {
    server.post(path).bearer(server.key()).json(&body).send().await
}

/// Changes the agent in the database.
async fn change_agent(server: &TestServer, changes: AgentChanges) {
    let (tenant, id) = (server.tenant_id(), server.first_tenant().agent("grace").id.clone());
    let now = server.clock.now();
    let store = server.store();
    let changed = store
        .write(move |c| identity::agent_update(c, &tenant, &id, &changes, now))
        .await
        .expect("changes the agent");
    assert!(changed.is_some());
}

#[test]
fn finds_agent_by_id_or_username() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .agent("alan")
            .tenant("other")
            .agent("grace")
            .start()
            .await;
        let agent = server.first_tenant().agent("grace").clone();
        for body in [
            json!({ "agentId": agent.id.as_str() }),
            json!({ "username": agent.username }),
            json!({ "agentId": agent.id.as_str(), "username": agent.username, "name": "Ann" }),
        ] {
            let answer = make(&server, AGENT, body).await.status(StatusCode::CREATED);
            let data = answer.data();
            assert_eq!((&data["tokenType"], &data["expiresIn"]), (&json!("Bearer"), &json!(900)));
            assert_eq!(data["scopes"].as_array().map(Vec::len), Some(10), "all of them when none are named");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let token = data["token"].as_str().expect("token");
            probe(&server, token).await.refused(ACCEPTED.0, ACCEPTED.1);
        }
        let other = server.tenant("other").agent("grace").id.to_string();
        for body in [
            json!({ "agentId": "agt_0" }),
            json!({ "username": "nobody" }),
            json!({ "agentId": agent.id.as_str(), "username": "alan" }),
            json!({ "agentId": other }),
        ] {
            make(&server, AGENT, body).await.refused(404, "SERVER_AGENT_NOT_FOUND");
        }
        make(&server, AGENT, json!({})).await.refused(400, "REQUEST_INVALID");
    });
}

/// The claims of a token without those that differ each time: id, session and times.
fn claims_of(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("claims");
    let text = URL_SAFE_NO_PAD.decode(part).expect("base64");
    let mut claims: Value = serde_json::from_slice(&text).expect("JSON");
    let members = claims.as_object_mut().expect("an object");
    let times = ["iat", "exp"].map(|name| members.remove(name).and_then(|time| time.as_i64()).expect(name));
    assert!(times[0] < times[1], "{times:?}");
    for name in ["jti", "sid"] {
        assert!(members.remove(name).is_some_and(|id| id.is_string()), "no {name}");
    }
    claims
}

#[test]
fn token_has_no_other_claims() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let identity = server.first_tenant().id.as_str();
        let id = server.first_tenant().agent("grace").id.clone();
        change_agent(&server, AgentChanges { role: Some("supervisor".into()), ..AgentChanges::default() })
            .await;
        let (mine, agent) = (server.tenant_id(), id.clone());
        let store = server.store();
        let found = store.read(move |c| identity::agent_get(c, &mine, &agent)).await.expect("reads");
        let department = found.expect("the agent").department_id.expect("a department");
        let read = ["agent:profile:read", "agent:presence:write"];
        let reports = ["admin:reports:read"];

        let body = json!({ "username": "grace", "name": "Ayu", "scopes": read });
        let agent = server.sdk_token("agent", server.key(), &body).await;
        let body = json!({ "username": "grace", "scopes": reports });
        let staff = server.sdk_token("admin", server.key(), &body).await;
        let body = json!({ "adminActorId": "crm-7", "role": "owner", "name": "Job", "scopes": reports });
        let actor = server.sdk_token("admin", server.key(), &body).await;
        let person = json!({ "externalId": "c-1", "name": "Ada", "email": "ada@example.com" });
        let context = server.context_token(&person).await;
        let visitor = server.visitor_session(&json!({ "contextToken": context })).await;
        let mine = server.tenant_id();
        let known = store.read(move |c| visitors::visitor_by_external_id(c, &mine, "c-1")).await;
        let visitor_id = known.expect("reads").expect("the visitor").id;

        let claims = |scope: &str, subject: &str, sdk: Value| json!({ "iss": "ringnity", "sub": subject, "tid": identity, "scope": scope, "sdk": sdk });
        for (token, expected) in [
            (
                agent,
                claims(
                    "agent",
                    id.as_str(),
                    json!({ "scopes": read, "role": "supervisor", "department": department.as_str(), "name": "Ayu" }),
                ),
            ),
            (
                staff,
                claims(
                    "admin",
                    id.as_str(),
                    json!({ "scopes": reports, "role": "supervisor", "department": department.as_str() }),
                ),
            ),
            (
                actor,
                claims(
                    "admin",
                    "actor:crm-7",
                    json!({ "scopes": reports, "role": "owner", "actor": "crm-7", "name": "Job" }),
                ),
            ),
            // A visitor has no role, no department and no scopes.
            (visitor, claims("visitor", visitor_id.as_str(), json!({ "scopes": [] }))),
        ] {
            assert_eq!(claims_of(&token), expected);
        }
    });
}

#[test]
fn department_must_be_that_of_agent() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .tenant("other")
            .agent("grace")
            .start()
            .await;
        let (mine, other) = {
            let (mine, other) = (server.tenant_id(), server.tenant("other").id.to_string());
            let now = server.clock.now();
            let store = server.store();
            store
                .write(move |c| {
                    let sales = identity::department_insert(c, &mine, "Sales", now)?;
                    let support = identity::department_list(c, &mine)?;
                    let support = support.into_iter().find(|found| found.id != sales.id);
                    let theirs = identity::department_list(c, &TenantId::from(other.as_str()))?;
                    Ok::<_, StoreError>((
                        [support.map(|found| found.id), Some(sales.id)],
                        theirs[0].id.clone(),
                    ))
                })
                .await
                .expect("departments")
        };
        let ask = |department: String| {
            make(&server, AGENT, json!({ "username": "grace", "departmentId": department }))
        };
        let [support, sales] = mine.map(|id| id.expect("a department").into_string());
        ask(support).await.status(StatusCode::CREATED);
        ask(sales).await.refused(404, "SERVER_AGENT_NOT_FOUND");
        ask(other.into_string()).await.refused(404, "SERVER_DEPARTMENT_NOT_FOUND");
        ask("dep_0".into()).await.refused(404, "SERVER_DEPARTMENT_NOT_FOUND");
    });
}

#[test]
fn token_has_only_requested_scopes() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let narrow = server.agent_token("grace", &["agent:profile:read"]).await;
        let refused = probe(&server, &narrow).await.refused(403, "AGENT_SDK_SCOPE_DENIED");
        assert!(refused.text.contains("agent:presence:write"), "{}", refused.text);
        let wide = server.agent_token("grace", &["agent:presence:write"]).await;
        probe(&server, &wide).await.refused(ACCEPTED.0, ACCEPTED.1);
        server
            .delete(DEVICES)
            .bearer(&wide)
            .json(&json!({ "deviceId": "x" }))
            .send()
            .await
            .refused(ACCEPTED.0, ACCEPTED.1);

        let narrow = server.admin_token(&["admin:reports:read"]).await;
        probe(&server, &narrow).await.refused(403, "ADMIN_SDK_SCOPE_DENIED");
        let wide = server.admin_token(&["admin:devices:write"]).await;
        probe(&server, &wide).await.refused(ACCEPTED.0, ACCEPTED.1);

        for (path, mut body) in [(AGENT, json!({ "username": "grace" })), (ADMIN, json!({}))] {
            body["scopes"] = json!([]);
            make(&server, path, body.clone()).await.refused(400, "SERVER_TOKEN_SCOPE_INVALID");
            body["scopes"] = json!(["server:health"]);
            make(&server, path, body.clone()).await.refused(400, "REQUEST_INVALID").names("/body/scopes/0");
        }
    });
}

#[test]
fn creating_tokens_requires_key_with_scope() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let reading = server.key_with(&["server:health"]).await;
        let owner = server.owner_token().await;
        let agent = server.agent_token("grace", &["agent:profile:read"]).await;
        for (path, body) in
            [(AGENT, json!({ "username": "grace" })), (ADMIN, json!({})), (CONTEXT, json!({}))]
        {
            let refused = server.post(path).bearer(&reading).json(&body).send().await;
            refused.refused(403, "SERVER_API_SCOPE_DENIED");
            for token in [&owner, &agent] {
                server
                    .post(path)
                    .bearer(token)
                    .json(&body)
                    .send()
                    .await
                    .refused(401, "SERVER_API_KEY_INVALID");
            }
            server.post(path).json(&body).send().await.refused(401, "SERVER_API_KEY_INVALID");
        }
    });
}

#[test]
fn token_life_is_as_requested_up_to_an_hour() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let body = json!({ "username": "grace", "expiresIn": 60 });
        let answer = make(&server, AGENT, body).await.status(StatusCode::CREATED);
        assert_eq!(answer.data()["expiresIn"], 60);
        let short = answer.data()["token"].as_str().expect("token").to_owned();
        let longest = json!({ "username": "grace", "expiresIn": 3600 });
        let long = server.sdk_token("agent", server.key(), &longest).await;
        for (path, mut body) in
            [(AGENT, json!({ "username": "grace" })), (ADMIN, json!({})), (CONTEXT, json!({}))]
        {
            for seconds in [3601, 59, -1] {
                body["expiresIn"] = json!(seconds);
                make(&server, path, body.clone())
                    .await
                    .refused(400, "REQUEST_INVALID")
                    .names("/body/expiresIn");
            }
        }
        server.clock.advance(chrono::TimeDelta::seconds(61));
        probe(&server, &short).await.refused(401, "TOKEN_EXPIRED");
        probe(&server, &long).await.refused(ACCEPTED.0, ACCEPTED.1);
        server.clock.advance(chrono::TimeDelta::seconds(3600));
        probe(&server, &long).await.refused(401, "TOKEN_EXPIRED");
    });
}

#[test]
fn disabling_agent_ends_its_tokens() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let agent = server.agent_token("grace", &["agent:presence:write"]).await;
        change_agent(&server, AgentChanges { role: Some("admin".into()), ..AgentChanges::default() }).await;
        let by_name = json!({ "username": "grace", "scopes": ["admin:devices:write"] });
        let admin = server.sdk_token("admin", server.key(), &by_name).await;
        for token in [&agent, &admin] {
            probe(&server, token).await.refused(ACCEPTED.0, ACCEPTED.1);
        }
        change_agent(&server, AgentChanges { is_active: Some(false), ..AgentChanges::default() }).await;
        probe(&server, &agent).await.refused(401, "AGENT_SDK_TOKEN_INVALID");
        probe(&server, &admin).await.refused(401, "ADMIN_SDK_TOKEN_INVALID");
        make(&server, AGENT, json!({ "username": "grace" })).await.refused(403, "AGENT_SDK_AGENT_DISABLED");
        make(&server, ADMIN, by_name.clone()).await.refused(403, "AGENT_SDK_AGENT_DISABLED");
    });
}

#[test]
fn admin_token_never_exceeds_role_of_agent() {
    on_each_engine(async |engine| {
        let server =
            TestServer::builder(engine).tenant("acme").agent("grace").supervisor("sam").start().await;
        let ask = |body: Value| make(&server, ADMIN, body);
        ask(json!({ "username": "grace" })).await.refused(404, "SERVER_ADMIN_NOT_FOUND");
        ask(json!({ "username": "nobody" })).await.refused(404, "SERVER_ADMIN_NOT_FOUND");
        let own = ask(json!({ "username": "sam" })).await.status(StatusCode::CREATED);
        assert!(!own.text.contains("admin:knowledge:write"), "{}", own.text);
        for body in [
            json!({ "username": "sam", "role": "admin" }),
            json!({ "username": "sam", "scopes": ["admin:reports:read", "admin:knowledge:write"] }),
            json!({ "role": "supervisor", "scopes": ["admin:subscription:read"] }),
        ] {
            ask(body).await.refused(400, "SERVER_TOKEN_SCOPE_INVALID").names("/body/");
        }
        let all = ask(json!({ "role": "owner", "name": "Reporting job" })).await.status(StatusCode::CREATED);
        assert_eq!(all.data()["scopes"].as_array().map(Vec::len), Some(10));
    });
}

#[test]
fn reduced_role_applies_to_next_request() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        change_agent(&server, AgentChanges { role: Some("owner".into()), ..AgentChanges::default() }).await;
        let body = json!({ "username": "grace", "scopes": ["admin:devices:write", "admin:knowledge:write"] });
        let token = server.sdk_token("admin", server.key(), &body).await;
        let write = || server.delete("/api/admin-sdk/ai/knowledge/none").bearer(&token).send();
        assert_ne!(write().await.status, StatusCode::FORBIDDEN);
        probe(&server, &token).await.refused(ACCEPTED.0, ACCEPTED.1);
        change_agent(&server, AgentChanges { role: Some("supervisor".into()), ..AgentChanges::default() })
            .await;
        probe(&server, &token).await.refused(ACCEPTED.0, ACCEPTED.1);
        write().await.refused(403, "ADMIN_SDK_SCOPE_DENIED");
        change_agent(&server, AgentChanges { role: Some("agent".into()), ..AgentChanges::default() }).await;
        probe(&server, &token).await.refused(401, "ADMIN_SDK_TOKEN_INVALID");
    });
}

#[test]
fn disabling_key_ends_its_sdk_tokens() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let scopes = ["server:agent-token:write", "server:admin-token:write", "server:visitor-context:write"];
        let key = server.key_with(&scopes).await;
        let agent = server.sdk_token("agent", &key, &json!({ "username": "grace" })).await;
        let admin = server.sdk_token("admin", &key, &json!({})).await;
        let answer = server
            .post(CONTEXT)
            .bearer(&key)
            .json(&json!({ "visitor": { "externalId": "c-1" } }))
            .send()
            .await
            .status(StatusCode::CREATED);
        let context = answer.data()["token"].as_str().expect("token").to_owned();
        let visitor = server.visitor_session(&json!({ "contextToken": context })).await;
        let survivor = server.agent_token("grace", &["agent:presence:write"]).await;
        let anonymous = server.visitor_session(&json!({ "slug": "acme" })).await;
        for token in [&agent, &admin, &visitor, &survivor, &anonymous] {
            probe(&server, token).await.refused(ACCEPTED.0, ACCEPTED.1);
        }

        let (tenant, now) = (server.tenant_id(), server.clock.now());
        let store = server.store();
        let hash = ringnity_server::secrets::hash(&key);
        let ended = store
            .write(move |c| {
                let key = tenants::server_credential_by_secret_hash(c, &hash)?.expect("the key");
                let changes = ServerCredentialChanges { is_active: Some(false), ..Default::default() };
                tenants::server_credential_update(c, &tenant, &key.id, &changes, now)?;
                identity::session_revoke_by_credential(c, &tenant, key.id.as_str(), now)
            })
            .await
            .expect("ends them");
        assert_eq!(ended, 4);

        probe(&server, &agent).await.refused(401, "AGENT_SDK_TOKEN_INVALID");
        probe(&server, &admin).await.refused(401, "ADMIN_SDK_TOKEN_INVALID");
        probe(&server, &visitor).await.refused(401, "SDK_SESSION_REQUIRED");
        let again = server.post("/api/sdk/session").json(&json!({ "contextToken": context })).send().await;
        again.refused(401, "SDK_CONTEXT_TOKEN_INVALID");
        for token in [&survivor, &anonymous] {
            probe(&server, token).await.refused(ACCEPTED.0, ACCEPTED.1);
        }
    });
}

#[test]
fn rejects_sdk_tokens_of_disabled_tenant() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let agent = server.agent_token("grace", &["agent:presence:write"]).await;
        let visitor = server.visitor_session(&json!({ "slug": "acme" })).await;
        server.set_tenant_active(false).await;
        for token in [&agent, &visitor] {
            probe(&server, token).await.refused(403, "SDK_CLIENT_INACTIVE");
        }
        let body = json!({ "slug": "acme" });
        server.post("/api/sdk/session").json(&body).send().await.refused(403, "SDK_CLIENT_INACTIVE");
    });
}

#[test]
fn rejects_tokens_of_other_kinds() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let agent = server.agent_token("grace", &["agent:profile:read"]).await;
        let admin = server.admin_token(&["admin:tenant:read"]).await;
        let visitor = server.visitor_session(&json!({ "slug": "acme" })).await;
        let context = server.context_token(&json!({ "externalId": "c-1" })).await;
        let owner = server.owner_token().await;
        let key = server.key().to_owned();
        for (path, due, code) in [
            ("/api/agent-sdk/me", "agent", "AGENT_SDK_TOKEN_INVALID"),
            ("/api/admin-sdk/tenant", "admin", "ADMIN_SDK_TOKEN_INVALID"),
        ] {
            for (kind, token) in [
                ("agent", &agent),
                ("admin", &admin),
                ("visitor", &visitor),
                ("context", &context),
                ("owner", &owner),
                ("server", &key),
            ] {
                if kind != due {
                    server.get(path).bearer(token).send().await.refused(401, code);
                    server.get(path).header("x-ringnity-sdk-session", token).send().await.refused(401, code);
                }
            }
        }
        for token in [&agent, &admin, &visitor, &context] {
            server.get("/api/auth/owner-me").bearer(token).send().await.refused(401, "AUTH_TOKEN_INVALID");
            server
                .get("/api/server/tenant")
                .bearer(token)
                .send()
                .await
                .refused(401, "SERVER_API_KEY_INVALID");
        }
        probe(&server, &context).await.refused(401, "SDK_SESSION_REQUIRED");
        for token in [&agent, &admin, &visitor, &owner] {
            let body = json!({ "slug": "acme", "contextToken": token });
            let refused = server.post("/api/sdk/session").json(&body).send().await;
            refused.refused(401, "SDK_CONTEXT_TOKEN_INVALID");
        }
    });
}
