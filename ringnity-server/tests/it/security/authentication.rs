//! Authentication without an operation, as a WebSocket's first frame needs it: the same principals and the same errors
//! as over REST.

use chrono::Duration;
use reqwest::Method;
use ringnity_api::runtime::{Identified, authenticate_credential};
use ringnity_api::{Fault, Hooks as _, OPERATIONS, Principal, RequestHead};
use ringnity_server::config::RateLimit;
use serde_json::json;

use crate::support::{TestServer, on_each_engine};

/// An operation that accepts agents only.
const AGENT: &str = "/api/agent-sdk/me";

/// An operation that accepts server keys only.
const SERVER: &str = "/api/server/health";

async fn direct(server: &TestServer, kind: &'static str, text: &str) -> Result<Identified<Principal>, Fault> {
    let state = server.state();
    let request = http::Request::get("/socket").body(()).expect("is a request");
    let head = RequestHead::new("socket".into(), request.into_parts().0, ([127, 0, 0, 1], 4711).into());
    let request_state = state.request_state(&head);
    authenticate_credential(state, &head.with_state(request_state), &[kind], text).await
}

/// Status and error code of both ways, `None` where the credential is accepted.
async fn compare(server: &TestServer, kind: &'static str, path: &str, text: &str) -> Option<(u16, String)> {
    let request = server.request(Method::GET, path);
    let answer = if text.is_empty() { request.send().await } else { request.bearer(text).send().await };
    let status = answer.status.as_u16();
    let operation = OPERATIONS.iter().find(|operation| operation.path == path).expect("an operation");
    match direct(server, kind, text).await {
        Ok(found) => {
            assert_eq!(found.kind.kind, kind);
            assert!(matches!(status, 200 | 501), "{path} {status}: {}", answer.text);
            None
        }
        Err(fault) => {
            let code = fault.code_in(operation.errors).to_owned();
            assert_eq!((fault.status().as_u16(), json!(code)), (status, answer.json["code"].clone()));
            Some((status, code))
        }
    }
}

fn rejected(status: u16, code: &str) -> Option<(u16, String)> {
    Some((status, code.to_owned()))
}

#[test]
fn a_credential_without_an_operation_is_judged_as_over_rest() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("agent.one").start().await;
        let agent = server.agent_token("agent.one", &["agent:profile:read"]).await;
        let found = direct(&server, "agent", &agent).await.expect("is valid");
        let Principal::Agent(principal) = &found.principal else { panic!("{:?}", found.principal) };
        assert_eq!(principal.tenant, server.tenant_id());
        assert_eq!(compare(&server, "agent", AGENT, &agent).await, None);
        let key = server.key_with(&["server:health"]).await;
        assert_eq!(compare(&server, "server", SERVER, &key).await, None);

        // Absent, unknown, of another kind.
        assert_eq!(compare(&server, "agent", AGENT, "").await, rejected(401, "AGENT_SDK_TOKEN_MISSING"));
        let admin = server.admin_token(&["admin:tenant:read"]).await;
        for text in ["nonsense", &key, &admin] {
            let outcome = compare(&server, "agent", AGENT, text).await;
            assert_eq!(outcome, rejected(401, "AGENT_SDK_TOKEN_INVALID"), "{text}");
        }
        for text in [&agent, "rn_sk_test_0123456789"] {
            let outcome = compare(&server, "server", SERVER, text).await;
            assert_eq!(outcome, rejected(401, "SERVER_API_KEY_INVALID"), "{text}");
        }

        // A feature that the plan does not include, a suspended tenant.
        server.set_feature("server_api", false).await;
        let outcome = compare(&server, "server", SERVER, &key).await;
        assert_eq!(outcome, rejected(403, "FEATURE_NOT_AVAILABLE"));
        server.set_feature("server_api", true).await;
        server.set_tenant_active(false).await;
        for (kind, path, text) in [("agent", AGENT, &agent), ("server", SERVER, &key)] {
            let outcome = compare(&server, kind, path, text).await;
            assert_eq!(outcome, rejected(403, "SDK_CLIENT_INACTIVE"), "{kind}");
        }
        server.set_tenant_active(true).await;

        // Revoked: the key that made the token is disabled.
        let owner = server.owner_token().await;
        let list = "/api/sdk/developer/server-api-credentials";
        let body = json!({ "name": "Made to be revoked", "scopes": ["server:agent-token:write"] });
        let made = server.post(list).bearer(&owner).json(&body).send().await;
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let (id, secret) = (text(&made.data()["credential"]["id"]), text(&made.data()["secret"]));
        let token = server.sdk_token("agent", &secret, &json!({ "username": "agent.one" })).await;
        assert_eq!(compare(&server, "agent", AGENT, &token).await, None);
        server.delete(&format!("{list}/{id}")).bearer(&owner).send().await.ok();
        let outcome = compare(&server, "agent", AGENT, &token).await;
        assert_eq!(outcome, rejected(401, "AGENT_SDK_TOKEN_INVALID"));
        let outcome = compare(&server, "server", SERVER, &secret).await;
        assert_eq!(outcome, rejected(401, "SERVER_API_KEY_INVALID"));

        // Expired.
        server.clock.advance(Duration::days(2));
        assert_eq!(compare(&server, "agent", AGENT, &agent).await, rejected(401, "TOKEN_EXPIRED"));
    });
}

#[test]
fn credentials_without_an_operation_count_against_the_same_limit() {
    let limited = |config: &mut ringnity_server::config::ServeConfig| {
        config.rate_limit = Some(RateLimit::PerMinute(12));
    };
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(limited).start().await;
        let key = server.key_with(&["server:health"]).await;
        let mut statuses = Vec::new();
        while statuses.last() != Some(&429) {
            assert!(statuses.len() < 100, "is never limited");
            let outcome = direct(&server, "server", &key).await;
            statuses.push(outcome.err().map_or(200, |fault| fault.status().as_u16()));
        }
        assert!(statuses.len() > 12 && statuses[..12].iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(server.get(SERVER).bearer(&key).send().await.status, 429);
    });
}
