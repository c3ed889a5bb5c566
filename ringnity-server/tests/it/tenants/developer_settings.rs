//! Developer Settings: allowed domains and readiness.

use ringnity_store::tenants;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, assert_data, on_each_engine};

const SETTINGS: &str = "/api/sdk/developer";
const DOMAINS: &str = "/api/sdk/developer/allowed-domains";
const TEST: &str = "/api/sdk/developer/test";
const READINESS: &str = "/api/server/tenant/sdk-readiness";

async fn replace(server: &TestServer, token: &str, domains: Value) -> Answer {
    server.put(DOMAINS).bearer(token).json(&json!({ "allowedDomains": domains })).send().await
}

async fn domains(server: &TestServer, token: &str) -> Value {
    server.get(SETTINGS).bearer(token).send().await.ok().data()["allowedDomains"].clone()
}

/// Keys of the checks that fail.
fn failing(readiness: &Answer) -> Vec<String> {
    let checks = readiness.data()["checks"].as_array().cloned().unwrap_or_default();
    assert!(checks.iter().all(|check| check["ready"] == json!(check.get("reason").is_none())), "{checks:?}");
    let failing = checks.iter().filter(|check| check["ready"] == false);
    failing.filter_map(|check| check["key"].as_str().map(str::to_owned)).collect()
}

fn service(readiness: &Answer, key: &str) -> Value {
    let services = readiness.data()["services"].as_array().cloned().unwrap_or_default();
    services.into_iter().find(|service| service["key"] == key).expect("the service")
}

#[test]
fn owner_reads_developer_settings() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let answer = server.get(SETTINGS).bearer(&token).send().await.ok();
        let acme = server.first_tenant();
        assert_eq!(answer.data()["tenant"]["clientId"], json!(acme.id.as_str()));
        assert_eq!(answer.data()["publicKey"], json!(acme.public_key));
        assert_data!(answer, "developer_settings");

        server.get(SETTINGS).send().await.refused(401, "AUTH_TOKEN_MISSING");
        server.get(SETTINGS).bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server
            .put(DOMAINS)
            .bearer(server.key())
            .json(&json!({ "allowedDomains": [] }))
            .send()
            .await
            .refused(401, "AUTH_TOKEN_INVALID");
    });
}

#[test]
fn normalizes_domains_and_applies_them_at_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let bootstrap = async |origin: &str| {
            server.get("/api/sdk/bootstrap?slug=acme").header("origin", origin).send().await
        };
        let given = json!(["Example.COM", "*.bücher.example.", "example.com:443", "localhost:3000"]);
        let answer = replace(&server, &token, given).await.ok();
        let kept = json!(["*.xn--bcher-kva.example", "example.com", "localhost:3000"]);
        assert_eq!(answer.data()["allowedDomains"], kept);
        assert_eq!(domains(&server, &token).await, kept);

        for origin in ["https://example.com", "https://shop.xn--bcher-kva.example"] {
            let answer = bootstrap(origin).await.ok();
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        }
        for origin in ["https://www.example.com", "https://example.com.evil.io", "https://example.com:8443"] {
            bootstrap(origin).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
        }
        replace(&server, &token, json!([])).await.ok();
        bootstrap("https://example.com").await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
    });
}

#[test]
fn rejects_invalid_domains() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        for entry in ["https://example.com", "example.com/path", "*", "*.com", "null:", "-.example.com"] {
            let refused = replace(&server, &token, json!(["good.example", entry])).await;
            refused.refused(400, "DEVELOPER_DOMAIN_INVALID").names("/body/allowedDomains/1");
        }
        assert_eq!(domains(&server, &token).await, json!(["localhost:3000"]));
    });
}

#[test]
fn plan_limits_domains() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        server.change_plan("starter").await;
        let three = json!(["a.example", "b.example", "c.example"]);
        replace(&server, &token, json!(["a.example", "b.example", "c.example", "C.example"])).await.ok();
        let refused = replace(&server, &token, json!(["1.example", "2.example", "3.example", "4.example"]));
        let refused = refused.await.refused(409, "DEVELOPER_DOMAIN_LIMIT_REACHED");
        assert!(
            refused.json["message"].as_str().is_some_and(|text| text.contains("3 domains")),
            "{refused:?}"
        );
        assert_eq!(domains(&server, &token).await, three, "nothing changed");
    });
}

#[test]
fn domains_of_other_tenant_stay_unchanged() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let (mine, theirs) =
            (server.owner_token().await, server.owner_token_of(server.tenant("other")).await);
        let other = server.tenant("other").id.to_string();
        let body = json!({ "allowedDomains": ["evil.example"], "clientId": other, "tenantId": other });
        server.put(DOMAINS).bearer(&mine).json(&body).send().await.ok();
        assert_eq!(domains(&server, &theirs).await, json!(["localhost:3000"]));
    });
}

#[test]
fn readiness_test_checks_origin_and_service() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let token = server.owner_token().await;
        let ask = async |body: Value| server.post(TEST).bearer(&token).json(&body).send().await;
        let plain = server.post(TEST).bearer(&token).send().await.ok();
        assert_eq!(failing(&plain), Vec::<String>::new());
        assert!(!plain.text.contains("\"origin\""), "no page was named");

        let good =
            ask(json!({ "origin": "http://localhost:3000", "service": "chat", "slug": "acme" })).await.ok();
        assert_eq!(failing(&good), Vec::<String>::new());
        assert_eq!(good.data()["services"].as_array().map(Vec::len), Some(1));

        let foreign = ask(json!({ "origin": "https://www.example.com", "service": "chat" })).await.ok();
        assert_eq!(failing(&foreign), ["origin", "services"]);
        assert_eq!(service(&foreign, "chat")["status"], "not_configured");
        assert_eq!(service(&foreign, "chat")["allowed"], false);
        assert!(foreign.text.contains("https://www.example.com"));

        for slug in ["other", "nobody", ""] {
            ask(json!({ "slug": slug })).await.refused(404, "SDK_CLIENT_NOT_FOUND");
        }
        ask(json!({ "service": "telepathy" })).await.refused(400, "REQUEST_INVALID").names("/body/service");
    });
}

#[test]
fn readiness_reports_what_is_missing() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let (token, key) = (server.owner_token().await, server.key());
        let both = async || {
            let for_owner = server.post(TEST).bearer(&token).send().await.ok();
            let for_backend = server.get(READINESS).bearer(key).send().await.ok();
            assert_eq!(for_owner.data(), for_backend.data());
            for_backend
        };
        let ready = both().await;
        assert_eq!(failing(&ready), Vec::<String>::new());
        assert_eq!(ready.data()["ai"]["ready"], false);
        assert_eq!(ready.data()["reports"]["ready"], true);
        assert_eq!(ready.data()["reports"].get("lastEventAt"), None);

        let contact = json!({ "name": "Ada", "phone": "1" });
        server.post("/api/server/contacts").bearer(key).json(&contact).send().await.ok();
        assert!(both().await.data()["reports"]["lastEventAt"].is_string());

        replace(&server, &token, json!([])).await.ok();
        let nowhere = both().await;
        assert_eq!(failing(&nowhere), ["allowed_domains", "services"]);
        assert_eq!(service(&nowhere, "voice_call")["status"], "not_configured");
        replace(&server, &token, json!(["example.com"])).await.ok();

        server.change_plan("free").await;
        let free = both().await;
        assert_eq!(failing(&free), Vec::<String>::new());
        assert_eq!(service(&free, "voice_call")["status"], "not_in_plan");
        assert_eq!(free.data()["ai"]["reason"], "the plan lacks: ai");

        let (tenant, now) = (server.tenant_id(), server.clock.now());
        let expire = move |c: &mut _| tenants::subscription_put(c, &tenant, "expired", None, now);
        server.store().write(expire).await.expect("an expired subscription");
        let expired = both().await;
        assert_eq!(failing(&expired), ["subscription", "services"]);
        assert_eq!(expired.data()["reports"]["ready"], false);
        // A widget gets the same status.
        let bootstrap = server.get("/api/sdk/bootstrap?slug=acme&debug=true").send().await.ok();
        assert_eq!(service(&bootstrap, "chat")["status"], "not_in_plan");
        assert_eq!(service(&bootstrap, "chat")["reason"], service(&expired, "chat")["reason"]);
    });
}

#[test]
fn readiness_reports_missing_active_key() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let keys = "/api/sdk/developer/server-api-credentials";
        let listed = server.get(keys).bearer(&token).send().await.ok();
        let id = listed.data()["credentials"][0]["id"].as_str().expect("a key").to_owned();
        server.delete(&format!("{keys}/{id}")).bearer(&token).send().await.ok();
        let answer = server.post(TEST).bearer(&token).send().await.ok();
        assert_eq!(failing(&answer), ["server_api_key"]);
        assert_eq!(service(&answer, "chat")["status"], "available", "which no visitor minds");
        server.get(READINESS).bearer(server.key()).send().await.refused(401, "SERVER_API_KEY_INVALID");
    });
}

#[test]
fn readiness_requires_tenant_read_scope() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        server.get(READINESS).send().await.refused(401, "SERVER_API_KEY_INVALID");
        let token = server.owner_token().await;
        server.get(READINESS).bearer(&token).send().await.refused(401, "SERVER_API_KEY_INVALID");
        let narrow = server.key_with(&["server:health", "server:contacts:read"]).await;
        server.get(READINESS).bearer(&narrow).send().await.refused(403, "SERVER_API_SCOPE_DENIED");
        let enough = server.key_with(&["server:tenant:read"]).await;
        server.get(READINESS).bearer(&enough).send().await.ok();
        server.post(TEST).bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
    });
}

#[test]
fn only_admins_change_developer_settings() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .supervisor("sam")
            .admin("amy")
            .start()
            .await;
        let (agent, supervisor) =
            (server.workspace_token("grace").await, server.workspace_token("sam").await);
        let admin = server.workspace_token("amy").await;
        let keys = "/api/sdk/developer/server-api-credentials";
        let clients = "/api/sdk/developer/oauth-clients";
        for token in [&agent, &supervisor] {
            for path in [SETTINGS, keys, clients] {
                server.get(path).bearer(token).send().await.ok();
            }
            server.post(TEST).bearer(token).send().await.ok();
        }
        let id = "scr_00000000000000000000000000";
        let changes = || {
            let name = json!({ "name": "Mine" });
            [
                server.put(DOMAINS).json(&json!({ "allowedDomains": [] })),
                server.post(keys).json(&json!({ "name": "Mine", "scopes": ["server:health"] })),
                server.patch(&format!("{keys}/{id}")).json(&name),
                server.delete(&format!("{keys}/{id}")),
                server.post(&format!("{keys}/{id}/rotate")),
                server.post(clients).json(&json!({ "name": "Mine", "redirectUris": ["https://a.example/"] })),
                server.patch(&format!("{clients}/{id}")).json(&name),
                server.delete(&format!("{clients}/{id}")),
                server.post(&format!("{clients}/{id}/rotate-secret")),
                server.delete(&format!("{clients}/{id}/revoked")),
            ]
        };
        // A key can create tokens of any role, so only administrators may create keys.
        for token in [&agent, &supervisor] {
            for request in changes() {
                request.bearer(token).send().await.refused(403, "AUTH_ROLE_DENIED");
            }
        }
        assert_eq!(domains(&server, &agent).await, json!(["localhost:3000"]));
        for request in changes() {
            let answer = request.bearer(&admin).send().await;
            assert!([200, 201, 404].contains(&answer.status.as_u16()), "{}", answer.text);
        }
    });
}
