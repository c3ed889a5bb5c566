//! S2.6: a revocation takes effect on every node with the next request. What is revoked at one node is used at the
//! other right after.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use ringnity_server::app::identity::accounts::{AccountSelector, set_password};
use ringnity_server::app::identity::owners as owners_app;
use ringnity_server::app::identity::platform_auth::login_platform_admin;
use ringnity_server::app::identity::provisioning::NewPassword;
use ringnity_server::app::identity::workspace::login_workspace;
use ringnity_server::app::tenants::TenantHints;
use ringnity_server::secrets::password::PasswordHasherPool;
use ringnity_store::Engine;
use ringnity_store::identity::{self, AgentChanges};
use ringnity_store::tenants::{self, TenantChanges};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, on_each_engine};

const KEYS: &str = "/api/sdk/developer/server-api-credentials";
const DEVICES: &str = "/api/sdk/devices/push-token";

/// Two nodes on PostgreSQL; on SQLite, the only node twice.
struct Nodes<'s> {
    server: &'s TestServer,
    here: String,
    there: String,
}

impl Nodes<'_> {
    async fn ask(&self, base: &str, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let request = self.server.request_at(base, method, path).bearer(token);
        match &body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }

    /// Sends a request to the first node.
    async fn here(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.ask(&self.here, method, path, token, body).await
    }

    /// The status that a token gets at the second node.
    async fn status_of(&self, kind: &str, token: &str) -> u16 {
        let (method, path, body) = match kind {
            "owner" => (Method::GET, "/api/auth/owner-me", None),
            "workspace" => (Method::GET, KEYS, None),
            "server" => (Method::GET, "/api/server/health", None),
            _ => (Method::DELETE, DEVICES, Some(json!({ "deviceId": "none" }))),
        };
        self.ask(&self.there, method, path, token, body).await.status.as_u16()
    }

    /// Creates a key with these scopes; returns its id and its secret.
    async fn key(&self, owner: &str, scopes: &[&str]) -> (String, String) {
        let body = json!({ "name": "To be ended", "scopes": scopes });
        let made = self.here(Method::POST, KEYS, owner, Some(body)).await.status(StatusCode::CREATED);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&made.data()["credential"]["id"]), text(&made.data()["secret"]))
    }

    /// An agent token and an admin token that were created with a key.
    async fn tokens(&self, key: &str) -> [String; 2] {
        let agent = self.server.sdk_token("agent", key, &json!({ "username": "grace" })).await;
        let admin = self.server.sdk_token("admin", key, &json!({ "adminActorId": "crm" })).await;
        [agent, admin]
    }
}

/// Statuses of an accepted token: 404 is the answer about something that does not exist.
const ACCEPTED: [u16; 2] = [200, 404];

async fn login(server: &TestServer) -> Value {
    let owner = &server.first_tenant().owner;
    let body = json!({ "email": owner.email, "password": owner.password });
    server.post("/api/auth/owner-login").json(&body).send().await.ok().data().clone()
}

#[test]
fn s2_6_what_ends_at_one_node_opens_nothing_at_the_other_from_the_next_request_on() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let second = match server.database().engine() {
            Engine::Postgres => Some(server.second().await.expect("a second node")),
            Engine::Sqlite => None,
        };
        let there = second.as_ref().map_or(server.base.clone(), |node| format!("http://{}", node.address));
        let nodes = Nodes { server: &server, here: server.base.clone(), there };
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let mut ended = 0;
        let mut over = |kind: &str, before: u16, after: u16| {
            assert!(ACCEPTED.contains(&before), "{kind} was not let in: {before}");
            assert!(matches!(after, 401 | 403), "{kind} is still let in: {after}");
            ended += 1;
        };

        // Logout.
        let session = login(&server).await;
        let token = text(&session["accessToken"]);
        let before = nodes.status_of("owner", &token).await;
        let body = json!({ "refreshToken": session["refreshToken"] });
        let cookie = format!("ownerRefreshToken={}", text(&session["refreshToken"]));
        server.post("/api/auth/owner-logout").header("cookie", &cookie).send().await.ok();
        over("an owner who signed out", before, nodes.status_of("owner", &token).await);
        let refreshed = server.request_at(&nodes.there, Method::POST, "/api/auth/owner-refresh");
        assert_eq!(refreshed.json(&body).send().await.status, 401);

        // A reused refresh token.
        let session = login(&server).await;
        let token = text(&session["accessToken"]);
        let before = nodes.status_of("owner", &token).await;
        let body = json!({ "refreshToken": session["refreshToken"] });
        server.post("/api/auth/owner-refresh").json(&body).send().await.ok();
        assert_eq!(server.post("/api/auth/owner-refresh").json(&body).send().await.status, 401);
        over("a session that was stolen", before, nodes.status_of("owner", &token).await);

        // Logout of the workspace.
        let staff = server.first_tenant().agent("grace").clone();
        let session = server.workspace_session("acme", "grace").await;
        let token = text(&session["accessToken"]);
        let before = nodes.here(Method::GET, KEYS, &token, None).await;
        let before_there = nodes.status_of("workspace", &token).await;
        assert_eq!(before.status.as_u16(), before_there);
        let body = json!({ "refreshToken": session["refreshToken"] });
        server.post("/api/auth/workspace-logout").json(&body).send().await.ok();
        let refused = nodes.ask(&nodes.there, Method::GET, KEYS, &token, None).await;
        refused.refused(401, "AUTH_TOKEN_INVALID");
        ended += 1;
        let mut over = |kind: &str, before: u16, after: u16| {
            assert!(ACCEPTED.contains(&before), "{kind} was not let in: {before}");
            assert!(matches!(after, 401 | 403), "{kind} is still let in: {after}");
            ended += 1;
        };

        // A disabled key and a rotated key, with the tokens that were created with them.
        let owner = text(&login(&server).await["accessToken"]);
        let every = ["server:health", "server:agent-token:write", "server:admin-token:write"];
        let (id, key) = nodes.key(&owner, &every).await;
        let tokens = nodes.tokens(&key).await;
        let before = nodes.status_of("server", &key).await;
        let [agent, admin] =
            [nodes.status_of("agent", &tokens[0]).await, nodes.status_of("admin", &tokens[1]).await];
        nodes.here(Method::DELETE, &format!("{KEYS}/{id}"), &owner, None).await.ok();
        over("a disabled key", before, nodes.status_of("server", &key).await);
        over("an agent token of a disabled key", agent, nodes.status_of("agent", &tokens[0]).await);
        over("an admin token of a disabled key", admin, nodes.status_of("admin", &tokens[1]).await);

        let (id, key) = nodes.key(&owner, &every).await;
        let before = nodes.status_of("server", &key).await;
        let rotated = nodes.here(Method::POST, &format!("{KEYS}/{id}/rotate"), &owner, None).await;
        assert!(rotated.status.is_success(), "{}", rotated.text);
        over("a rotated key", before, nodes.status_of("server", &key).await);
        assert_eq!(
            nodes.status_of("server", rotated.data()["secret"].as_str().expect("a secret")).await,
            200
        );

        // A key with one scope less.
        let (id, key) = nodes.key(&owner, &every).await;
        let before = nodes.status_of("server", &key).await;
        let cut = json!({ "scopes": ["server:tenant:read"] });
        nodes.here(Method::PATCH, &format!("{KEYS}/{id}"), &owner, Some(cut)).await.ok();
        over("a key without its scope", before, nodes.status_of("server", &key).await);

        // A disabled agent, owner and tenant.
        let tokens = nodes.tokens(server.key()).await;
        let visitor = server.visitor_session(&json!({ "slug": "acme" })).await;
        let (store, now, tenant) = (server.store(), server.clock.now(), server.tenant_id());
        let before = nodes.status_of("agent", &tokens[0]).await;
        let (of, id) = (tenant.clone(), staff.id.clone());
        let off = AgentChanges { is_active: Some(false), ..AgentChanges::default() };
        store.write(move |c| identity::agent_update(c, &of, &id, &off, now)).await.expect("switches off");
        over("an agent who is switched off", before, nodes.status_of("agent", &tokens[0]).await);

        let before = nodes.status_of("owner", &owner).await;
        let of = tenant.clone();
        let switched = store.write(move |c| {
            let owner = &identity::owner_list(c, &of)?[0];
            identity::owner_set_active(c, &of, &owner.id, false, now)
        });
        assert!(switched.await.expect("switches off"));
        over("an owner who is switched off", before, nodes.status_of("owner", &owner).await);

        let kinds = [("server", server.key()), ("admin", &tokens[1]), ("visitor", &visitor)];
        let mut before = Vec::new();
        for (kind, token) in kinds {
            before.push(nodes.status_of(kind, token).await);
        }
        let off = TenantChanges { is_active: Some(false), ..TenantChanges::default() };
        store.write(move |c| tenants::tenant_update(c, &tenant, &off, now)).await.expect("switches off");
        for ((kind, token), before) in kinds.into_iter().zip(before) {
            over(kind, before, nodes.status_of(kind, token).await);
        }
        ringnity_store::print_always!("{}: {ended} kinds of ending", server.database().engine());
        if let Some(second) = second {
            second.stop().await.expect("stops");
        }
    });
}

#[test]
fn s2_6_a_password_that_was_changed_while_it_was_looked_at_opens_nothing() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").platform_admin().start().await;
        let passwords = PasswordHasherPool::new(1, Duration::from_secs(600));
        let app = server.app().await.with_passwords(passwords);
        let hashed = NewPassword::new(None).await.expect("is made");
        // Takes so long that all sign-ins below read their accounts before the change and verify passwords after it.
        let slow = "$argon2id$v=19$m=19456,t=60,p=1$SE5dVQ7lyLIEMWf0OvJTbQ$Nh2CyXwY0KzYw3Yb8Gm1cS0aV9uJrQ2tEoLxPdZk4fI";
        let first = app.auth.passwords.clone();
        tokio::spawn(async move { first.verify("x".into(), Some(slow.into())).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let from = "192.0.2.1".parse().expect("address");
        let (owner, agent) =
            (server.first_tenant().owner.clone(), server.first_tenant().agent("grace").clone());
        let admin = server.platform_admin().clone();
        let hints = TenantHints { slug: Some("acme".into()), ..TenantHints::default() };
        let request = |name: &str, of: &str, password: &str| json!({ name: of, "password": password });
        let of_owner =
            serde_json::from_value(request("email", &owner.email, &owner.password)).expect("a request");
        let of_agent = request("username", &agent.username, &agent.password);
        let of_agent = serde_json::from_value(of_agent).expect("a request");
        let of_admin =
            serde_json::from_value(request("email", &admin.email, &admin.password)).expect("a request");
        let names = [
            AccountSelector::Owner(owner.email.clone()),
            AccountSelector::Agent("acme".into(), agent.username.clone()),
            AccountSelector::PlatformAdmin(admin.email.clone()),
        ];
        let change = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            for name in names {
                let set = set_password(&app.store, name, hashed.clone(), server.clock.now()).await;
                set.expect("sets it");
            }
        };
        let (owner, agent, admin, ()) = tokio::join!(
            owners_app::login_owner(&app, from, of_owner),
            login_workspace(&app, hints, from, of_agent),
            login_platform_admin(&app, from, of_admin),
            change,
        );
        let refusals = [owner.err(), agent.err(), admin.err()];
        for refusal in refusals {
            assert_eq!(
                refusal.map(|refusal| refusal.code.to_string()).as_deref(),
                Some("AUTH_CREDENTIALS_INVALID")
            );
        }
    });
}
