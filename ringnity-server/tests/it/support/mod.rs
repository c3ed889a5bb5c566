//! A server of its own for every test, and answers that are checked before a test sees them.

pub mod fake_google;
pub mod node;

use std::future::Future;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder, StatusCode};
use ringnity_api::{CONTRACT, ResponseCheck};
use ringnity_server::app::App;
use ringnity_server::clock::Clock;
use ringnity_server::config::{DatabaseConfig, ServeConfig};
use ringnity_server::demo::Demo;
use ringnity_server::jobs::{self, Job};
use ringnity_server::secrets::tokens::Signer;
use ringnity_server::serve::{self, Running};
use ringnity_store::Store;
use ringnity_store::tenants::{self, TenantChanges};
use ringnity_store::testing::{TestDatabase, engines};
use serde_json::Value;

/// A running server with the demo tenants.
pub struct TestServer {
    running: Option<Running>,
    pub demo: Demo,
    pub clock: Clock,
    pub base: String,
    http: reqwest::Client,
    config: ServeConfig,
    jobs: Vec<Arc<dyn Job>>,
    database: TestDatabase,
    _folder: tempfile::TempDir,
}

/// Runs `test` with a fresh server on each engine.
pub fn on_each_engine<F, Fut>(test: F)
where
    F: Fn(TestServer) -> Fut,
    Fut: Future<Output = ()>,
{
    on_each_engine_with(|_| {}, test);
}

/// Runs `test` with a fresh server on each engine, whose settings `change` has changed.
pub fn on_each_engine_with<F, Fut>(change: impl Fn(&mut ServeConfig), test: F)
where
    F: Fn(TestServer) -> Fut,
    Fut: Future<Output = ()>,
{
    run_on_each_engine(change, &jobs::all(), test);
}

/// Runs `test` with a fresh server on each engine, which does these jobs and no others.
pub fn on_each_engine_with_jobs<F, Fut>(jobs: &[Arc<dyn Job>], test: F)
where
    F: Fn(TestServer) -> Fut,
    Fut: Future<Output = ()>,
{
    run_on_each_engine(|_| {}, jobs, test);
}

fn run_on_each_engine<F, Fut>(change: impl Fn(&mut ServeConfig), jobs: &[Arc<dyn Job>], test: F)
where
    F: Fn(TestServer) -> Fut,
    Fut: Future<Output = ()>,
{
    for engine in engines() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(async {
            let server = TestServer::start_with_jobs(TestDatabase::new(engine), &change, jobs.to_vec()).await;
            test(server).await;
        });
        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    }
}

impl TestServer {
    pub async fn start_with_jobs(
        database: TestDatabase,
        change: impl Fn(&mut ServeConfig),
        jobs: Vec<Arc<dyn Job>>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut config = ServeConfig {
            listen: "127.0.0.1:0".parse().expect("address"),
            private_listen: None,
            stop_delay: std::time::Duration::ZERO,
            tls_cert: None,
            tls_key: None,
            log_format: Default::default(),
            database: DatabaseConfig {
                data_dir: folder.path().to_path_buf(),
                database_url: Some(database.url().to_owned()),
            },
            public_url: None,
            dashboard_url: None,
            base_domain: "localhost".into(),
            rate_limit: None,
            trusted_proxies: Vec::new(),
            google_client_id: None,
            google_jwks_url: ringnity_server::config::GOOGLE_JWKS_URL.into(),
            demo: true,
            demo_file: None,
        };
        change(&mut config);
        let clock = Clock::default();
        let running = serve::start_with_jobs(&config, clock.clone(), ResponseCheck::Fatal, jobs.clone());
        let running = running.await.expect("starts");
        let demo = running.demo.clone().expect("demo");
        let base = format!("{}://{}", running.scheme(), running.address);
        let http = reqwest::Client::builder().no_proxy().build().expect("client");
        Self { running: Some(running), demo, clock, base, http, config, jobs, database, _folder: folder }
    }

    /// Another server on a database of its own, on the same engine.
    pub async fn beside(&self, change: impl Fn(&mut ServeConfig)) -> Self {
        Self::start_with_jobs(TestDatabase::new(self.database.engine()), change, jobs::all()).await
    }

    /// Stops the server and starts it again on the same database.
    pub async fn restart(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.expect("stops");
        }
        let running = self.second_with_jobs(self.jobs.clone()).await.expect("starts again");
        self.base = format!("{}://{}", running.scheme(), running.address);
        self.running = Some(running);
    }

    /// Where its private listener is.
    pub fn private(&self) -> String {
        let address = self.running.as_ref().and_then(Running::private_address).expect("a private listener");
        format!("http://{address}")
    }

    /// Sends bytes as they are, for what no client library would send; answers what came back.
    pub fn raw(&self, request: &[u8]) -> String {
        use std::io::{Read as _, Write as _};
        let address = self.base.trim_start_matches("http://");
        let mut socket = std::net::TcpStream::connect(address).expect("connects");
        socket.write_all(request).expect("sends");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer and its end");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The server's database, for what no operation does.
    pub async fn store(&self) -> Store {
        Store::open(&self.config.store().expect("a database")).await.expect("opens")
    }

    /// Switches the first tenant on or off, as its operator would.
    pub async fn switch_tenant(&self, on: bool) {
        let (tenant, store, now) = (self.tenant_id(), self.store().await, self.clock.now());
        let changes = TenantChanges { is_active: Some(on), ..TenantChanges::default() };
        let done = store.write(move |c| tenants::tenant_update(c, &tenant, &changes, now)).await;
        assert!(done.expect("switches it").is_some());
        store.close().await;
    }

    /// The rules on the server's database, in its time and without its limits: for what no request can do.
    pub async fn app(&self) -> App {
        let store = self.store().await;
        let signer = Signer::load(&store, self.clock.now()).await.expect("its keys");
        App::for_cli(store, self.clock.clone(), Arc::new(signer), CONTRACT).expect("the rules")
    }

    /// What a second server on the same database says.
    pub async fn second(&self) -> anyhow::Result<Running> {
        self.second_with_jobs(self.jobs.clone()).await
    }

    /// The same, of one that does these jobs.
    pub async fn second_with_jobs(&self, jobs: Vec<Arc<dyn Job>>) -> anyhow::Result<Running> {
        serve::start_with_jobs(&self.config, self.clock.clone(), ResponseCheck::Fatal, jobs).await
    }

    /// The running server, to be stopped by the test.
    pub fn take_running(&mut self) -> Running {
        self.running.take().expect("a running server")
    }

    /// The database itself, for tests that look at all of it.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Rows of the outbox that are the demo tenant's, in order.
    pub fn events(&self) -> Vec<Value> {
        let tenant = self.tenant_id();
        self.database.events().into_iter().filter(|row| row["tenant_id"] == tenant.as_str()).collect()
    }

    /// The database file, on SQLite.
    pub fn database_file(&self) -> Option<std::path::PathBuf> {
        self.config.store().expect("a database").sqlite_path().map(std::path::Path::to_path_buf)
    }

    pub fn request(&self, method: Method, path: &str) -> Request {
        self.request_at(&self.base, method, path)
    }

    /// A request to another node, at `base`.
    pub fn request_at(&self, base: &str, method: Method, path: &str) -> Request {
        Request(self.http.request(method, format!("{base}{path}")))
    }

    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// The demo tenant's Server API key.
    pub fn key(&self) -> &str {
        &self.demo.first.server_api_key
    }

    /// The other tenant's Server API key.
    pub fn other_key(&self) -> &str {
        &self.demo.other_tenant.members.server_api_key
    }

    /// Signs the demo tenant's owner in; answers the access token.
    pub async fn owner_token(&self) -> String {
        let owner = &self.demo.first.owner;
        self.login(&owner.email, &owner.password).await
    }

    /// Signs the other tenant's owner in; answers the access token.
    pub async fn other_owner_token(&self) -> String {
        let owner = &self.demo.other_tenant.members.owner;
        self.login(&owner.email, &owner.password).await
    }

    /// Signs in to a workspace; answers what it tells.
    pub async fn workspace_session(&self, slug: &str, username: &str, password: &str) -> Value {
        let body = serde_json::json!({ "username": username, "password": password });
        let path = format!("/api/auth/workspace-login?slug={slug}");
        self.post(&path).json(&body).send().await.ok().data().clone()
    }

    async fn login(&self, email: &str, password: &str) -> String {
        let body = serde_json::json!({ "email": email, "password": password });
        let answer = self.post("/api/auth/owner-login").json(&body).send().await.ok();
        answer.data()["accessToken"].as_str().expect("token").to_owned()
    }

    /// An agent token of the demo tenant's first agent.
    pub async fn agent_token(&self, scopes: &[&str]) -> String {
        let body = serde_json::json!({ "username": "agent.one", "scopes": scopes });
        self.sdk_token("agent", self.key(), &body).await
    }

    /// An admin token of the demo tenant.
    pub async fn admin_token(&self, scopes: &[&str]) -> String {
        let body = serde_json::json!({ "adminActorId": "crm-admin-7", "scopes": scopes });
        self.sdk_token("admin", self.key(), &body).await
    }

    /// A token that the Server API makes: `kind` is the end of its path.
    pub async fn sdk_token(&self, kind: &str, key: &str, body: &Value) -> String {
        let path = format!("/api/server/sdk-token/{kind}");
        let answer = self.post(&path).bearer(key).json(body).send().await.status(StatusCode::CREATED);
        answer.data()["token"].as_str().expect("token").to_owned()
    }

    /// A context token of the demo tenant for `visitor`.
    pub async fn context_token(&self, visitor: &Value) -> String {
        let body = serde_json::json!({ "visitor": visitor });
        let request = self.post("/api/server/visitor-context-token").bearer(self.key()).json(&body);
        let answer = request.send().await.status(StatusCode::CREATED);
        answer.data()["token"].as_str().expect("token").to_owned()
    }

    /// A visitor's session, made with `body`.
    pub async fn visitor_session(&self, body: &Value) -> String {
        let answer = self.post("/api/sdk/session").json(body).send().await.status(StatusCode::CREATED);
        answer.data()["sessionToken"].as_str().expect("session").to_owned()
    }

    /// The demo tenant's id.
    pub fn tenant_id(&self) -> ringnity_store::TenantId {
        self.demo.first.tenant.client_id.as_str().into()
    }

    /// Puts the demo tenant on another plan.
    pub async fn change_plan(&self, slug: &'static str) {
        let tenant = self.tenant_id();
        let now = self.clock.now();
        self.store()
            .await
            .write(move |c| {
                let plan = tenants::plan_by_slug(c, slug)?.map(|plan| plan.id);
                let changes = TenantChanges { plan_id: plan, ..TenantChanges::default() };
                tenants::tenant_update(c, &tenant, &changes, now)
            })
            .await
            .expect("another plan");
    }

    /// Puts a feature into the demo tenant's plan, or takes it out.
    pub async fn set_feature(&self, feature: &'static str, enabled: bool) {
        let tenant = self.tenant_id();
        self.store()
            .await
            .write(move |c| {
                let Some(plan) = tenants::plan_of_tenant(c, &tenant)? else { return Ok(()) };
                let feature = tenants::PlanFeature {
                    plan_id: plan.id,
                    feature_key: feature.to_owned(),
                    enabled,
                    config: "{}".to_owned(),
                };
                tenants::plan_feature_put(c, &feature)
            })
            .await
            .expect("another feature");
    }

    /// Lets the demo tenant's plan allow so many of something.
    pub async fn set_quota(&self, quota: &'static str, limit: i64) {
        let tenant = self.tenant_id();
        self.store()
            .await
            .write(move |c| {
                let Some(plan) = tenants::plan_of_tenant(c, &tenant)? else { return Ok(()) };
                let quota = tenants::PlanQuota {
                    plan_id: plan.id,
                    quota_key: quota.to_owned(),
                    value_type: "number".to_owned(),
                    limit_value: Some(limit),
                    reset_period: None,
                    config: "{}".to_owned(),
                };
                tenants::plan_quota_put(c, &quota)
            })
            .await
            .expect("another quota");
    }

    /// Makes a Server API key with `scopes` for the demo tenant.
    pub async fn key_with(&self, scopes: &[&str]) -> String {
        let body = serde_json::json!({ "name": "A test's key", "scopes": scopes });
        let token = self.owner_token().await;
        let answer =
            self.post("/api/sdk/developer/server-api-credentials").bearer(&token).json(&body).send().await;
        answer.status(StatusCode::CREATED).data()["secret"].as_str().expect("secret").to_owned()
    }
}

/// A request under construction.
pub struct Request(RequestBuilder);

impl Request {
    pub fn bearer(self, token: &str) -> Self {
        Self(self.0.bearer_auth(token))
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub fn text(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", content_type).body(body))
    }

    /// Sends it. Whatever comes back has a request id; what is no success has the contract's envelope; a 500 is
    /// a bug.
    pub async fn send(self) -> Answer {
        let response = self.0.send().await.expect("an answer");
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.text().await.expect("a body");
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "a 500 is a bug: {text}");
        assert!(headers.contains_key("x-request-id"), "no request id: {status} {text}");
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(json["success"], false, "no envelope: {status} {text}");
            assert!(json["code"].as_str().is_some_and(|code| !code.is_empty()), "no code: {text}");
            assert!(json["message"].as_str().is_some_and(|message| message.len() > 10), "no message: {text}");
            let type_ = headers.get("content-type").and_then(|value| value.to_str().ok());
            assert_eq!(type_, Some("application/json"), "{text}");
        }
        Answer { status, headers, json, text }
    }
}

/// An answer that passed the checks of `send`.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn status(self, expected: StatusCode) -> Self {
        assert_eq!(self.status, expected, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.status(StatusCode::OK)
    }

    /// A refusal with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        self
    }

    /// The refusal's details, one line each.
    pub fn details(&self) -> Vec<&str> {
        self.json["details"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Asserts that some detail begins with `pointer`.
    #[track_caller]
    pub fn names(self, pointer: &str) -> Self {
        assert!(
            self.details().iter().any(|line| line.starts_with(pointer)),
            "no detail at {pointer}: {}",
            self.text
        );
        self
    }

    pub fn data(&self) -> &Value {
        &self.json["data"]
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
