//! A server for every test, with the rows that the test names and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use ringnity_api::{CONTRACT, ResponseCheck};
use ringnity_server::app::App;
use ringnity_server::app::identity::sessions;
use ringnity_server::clock::Clock;
use ringnity_server::config::{DatabaseConfig, RateLimit, ServeConfig};
use ringnity_server::demo::Demo;
use ringnity_server::jobs::{self, Job};
use ringnity_server::secrets::tokens::{SdkClaims, SdkGrant, Signer, TokenScope};
use ringnity_server::serve::{self, Running};
use ringnity_store::identity::NewSession;
use ringnity_store::tenants::{self, TenantChanges};
use ringnity_store::testing::{TestDatabase, engines};
use ringnity_store::visitors::{self, VisitorProfile};
use ringnity_store::{Conn, Engine, Store, StoreError, TenantId};
use serde_json::{Value, json};

use super::answer::Request;
use super::fixtures::{self, Fixtures, Inserted, PlatformAdmin, Tenant};

/// More requests a minute than a test sends. Limits are counted all the same.
const RATE_LIMIT: RateLimit = RateLimit::PerMinute(1_000_000);

/// How long jobs and requests that a test has caused may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A running server. When it is dropped, no request may be in flight and no delivery may be left in the table of jobs.
pub struct TestServer {
    running: Option<Running>,
    pub clock: Clock,
    pub base: String,
    http: reqwest::Client,
    config: ServeConfig,
    jobs: Vec<Arc<dyn Job>>,
    store: Store,
    inserted: Inserted,
    demo: Option<Demo>,
    leaves_jobs: AtomicBool,
    database: TestDatabase,
    _folder: tempfile::TempDir,
}

/// Runs `test` on each engine.
pub fn on_each_engine(test: impl AsyncFn(Engine)) {
    for engine in engines() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("runtime");
        // Both engines give the answer of one snapshot.
        insta::allow_duplicates! {
            runtime.block_on(test(engine));
        }
        runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// What a server is started with.
pub struct TestServerBuilder {
    database: TestDatabase,
    config: ServeConfig,
    folder: tempfile::TempDir,
    jobs: Vec<Arc<dyn Job>>,
    fixtures: Fixtures,
}

impl TestServerBuilder {
    fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let database = TestDatabase::new(engine);
        let config = ServeConfig {
            listen: "127.0.0.1:0".parse().expect("address"),
            private_listen: None,
            stop_delay: Duration::ZERO,
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
            rate_limit: Some(RATE_LIMIT),
            trusted_proxies: Vec::new(),
            google_client_id: None,
            google_jwks_url: ringnity_server::config::GOOGLE_JWKS_URL.into(),
            demo: false,
            demo_file: None,
        };
        Self { database, config, folder, jobs: jobs::all(), fixtures: Fixtures::default() }
    }

    /// Changes the settings.
    pub fn configure(mut self, change: impl FnOnce(&mut ServeConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Runs these jobs and no others.
    pub fn jobs(mut self, jobs: Vec<Arc<dyn Job>>) -> Self {
        self.jobs = jobs;
        self
    }

    /// Seeds the demo, with the accounts that are refused something.
    pub fn demo(mut self) -> Self {
        self.config.demo_file = Some(self.folder.path().join("demo-file.json"));
        self.config.rate_limit = None;
        self
    }

    /// Adds a tenant; see [`Fixtures::tenant`].
    pub fn tenant(mut self, slug: &'static str) -> Self {
        self.fixtures = self.fixtures.tenant(slug);
        self
    }

    /// Adds an agent to the tenant named last.
    pub fn agent(mut self, username: &'static str) -> Self {
        self.fixtures = self.fixtures.agent(username);
        self
    }

    /// Adds a supervisor to the tenant named last.
    pub fn supervisor(mut self, username: &'static str) -> Self {
        self.fixtures = self.fixtures.supervisor(username);
        self
    }

    /// Adds an administrator to the tenant named last.
    pub fn admin(mut self, username: &'static str) -> Self {
        self.fixtures = self.fixtures.admin(username);
        self
    }

    /// Adds a platform administrator.
    pub fn platform_admin(mut self) -> Self {
        self.fixtures = self.fixtures.platform_admin();
        self
    }

    /// Inserts the fixtures and starts the server.
    pub async fn start(self) -> TestServer {
        let clock = Clock::default();
        let store = Store::open(self.database.config()).await.expect("opens");
        let inserted = self.fixtures.insert(&store, clock.now()).await;
        let running =
            serve::start_with_jobs(&self.config, clock.clone(), ResponseCheck::Fatal, self.jobs.clone());
        let running = running.await.expect("starts");
        TestServer {
            base: base(&running),
            demo: running.demo.clone(),
            running: Some(running),
            clock,
            http: reqwest::Client::builder().no_proxy().build().expect("client"),
            config: self.config,
            jobs: self.jobs,
            store,
            inserted,
            leaves_jobs: AtomicBool::new(false),
            database: self.database,
            _folder: self.folder,
        }
    }
}

fn base(running: &Running) -> String {
    format!("{}://{}", running.scheme(), running.address)
}

impl TestServer {
    /// A server on a database of its own.
    pub fn builder(engine: Engine) -> TestServerBuilder {
        TestServerBuilder::new(engine)
    }

    /// Stops the server and starts it again on the same database.
    pub async fn restart(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.expect("stops");
        }
        let running = self.second().await.expect("starts again");
        self.base = base(&running);
        self.running = Some(running);
    }

    /// Starts a second server on the same database.
    pub async fn second(&self) -> anyhow::Result<Running> {
        self.second_with_jobs(self.jobs.clone()).await
    }

    /// Starts a second server on the same database, which runs these jobs.
    pub async fn second_with_jobs(&self, jobs: Vec<Arc<dyn Job>>) -> anyhow::Result<Running> {
        serve::start_with_jobs(&self.config, self.clock.clone(), ResponseCheck::Fatal, jobs).await
    }

    /// The state of the running server.
    pub fn state(&self) -> &impl ringnity_api::Authenticate {
        self.running.as_ref().expect("a running server").state()
    }

    /// The running server, to be stopped by the test.
    pub fn take_running(&mut self) -> Running {
        self.running.take().expect("a running server")
    }

    /// Lets jobs be left over when the test ends: some of its jobs fail or are never claimed.
    pub fn leave_jobs(&self) {
        self.leaves_jobs.store(true, Ordering::Relaxed);
    }

    /// URL of the private listener.
    pub fn private(&self) -> String {
        let address = self.running.as_ref().and_then(Running::private_address).expect("a private listener");
        format!("http://{address}")
    }

    /// The database itself.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// The database file, on SQLite.
    pub fn database_file(&self) -> Option<std::path::PathBuf> {
        self.config.store().expect("a database").sqlite_path().map(std::path::Path::to_path_buf)
    }

    /// A store on the server's database, open as long as the test runs.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Writes to the database behind the server's back.
    pub async fn write<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        self.store.write(work).await.expect("writes")
    }

    /// Reads from the database.
    pub async fn read<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    {
        self.store.read(work).await.expect("reads")
    }

    /// The application on the server's database and clock, without limits.
    pub async fn app(&self) -> App {
        let signer = self.signer().await;
        App::new(self.store.clone(), self.clock.clone(), Arc::new(signer), CONTRACT).expect("the app")
    }

    async fn signer(&self) -> Signer {
        Signer::load(&self.store, self.clock.now()).await.expect("signing keys")
    }

    /// The tenant with that slug.
    #[track_caller]
    pub fn tenant(&self, slug: &str) -> &Tenant {
        self.inserted.tenant(slug)
    }

    /// The tenant that the test named first.
    #[track_caller]
    pub fn first_tenant(&self) -> &Tenant {
        self.inserted.first_tenant()
    }

    /// The platform administrator.
    #[track_caller]
    pub fn platform_admin(&self) -> &PlatformAdmin {
        self.inserted.platform_admin()
    }

    /// The demo, where the test asked for it.
    #[track_caller]
    pub fn demo(&self) -> &Demo {
        self.demo.as_ref().expect("this test asked for no demo")
    }

    /// The id of the first tenant.
    #[track_caller]
    pub fn tenant_id(&self) -> TenantId {
        self.first_tenant().id.clone()
    }

    /// The Server API key of the first tenant.
    #[track_caller]
    pub fn key(&self) -> &str {
        &self.first_tenant().key
    }

    /// Outbox rows of the first tenant, in order.
    pub fn events(&self) -> Vec<Value> {
        let tenant = self.tenant_id();
        self.database.events().into_iter().filter(|row| row["tenant_id"] == tenant.as_str()).collect()
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

    /// Sends bytes as they are, for what no client library would send; returns what came back.
    pub fn raw(&self, request: &[u8]) -> String {
        use std::io::{Read as _, Write as _};
        let address = self.base.trim_start_matches("http://");
        let mut socket = std::net::TcpStream::connect(address).expect("connects");
        socket.write_all(request).expect("sends");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer and its end");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// An access token of the owner of the first tenant.
    pub async fn owner_token(&self) -> String {
        self.owner_token_of(self.first_tenant()).await
    }

    /// An access token of a tenant's owner, with a session made for it.
    pub async fn owner_token_of(&self, tenant: &Tenant) -> String {
        self.dashboard_token(TokenScope::Owner, Some(&tenant.id), tenant.owner.id.as_str()).await
    }

    /// An access token of an agent of the first tenant for the workspace, with a session made for it.
    pub async fn workspace_token(&self, username: &str) -> String {
        let tenant = self.first_tenant();
        let agent = tenant.agent(username).id.as_str();
        self.dashboard_token(TokenScope::Workspace, Some(&tenant.id), agent).await
    }

    /// An access token of the platform administrator, with a session made for it.
    pub async fn platform_token(&self) -> String {
        self.dashboard_token(TokenScope::Platform, None, self.platform_admin().id.as_str()).await
    }

    async fn dashboard_token(&self, scope: TokenScope, tenant: Option<&TenantId>, subject: &str) -> String {
        let (tenant, subject, now) = (tenant.cloned(), subject.to_owned(), self.clock.now());
        let refresh = sessions::new_refresh_token().expect("a refresh token");
        let begin =
            move |c: &mut Conn| sessions::start(c, scope, tenant.as_ref(), &subject, &refresh.hash, now);
        let session = self.store.write(begin).await.expect("a session");
        let tenant = session.tenant_id.as_ref().map(TenantId::as_str);
        let signer = self.signer().await;
        signer.sign(scope, &session.subject_id, tenant, session.id.as_str(), now).expect("signs")
    }

    /// An SDK token of the first tenant's agent, with a session of a quarter of an hour made for it.
    pub async fn agent_token(&self, username: &str, scopes: &[&str]) -> String {
        let tenant = self.first_tenant();
        let agent = tenant.agent(username);
        let claims = SdkClaims { role: Some(agent.role.to_string()), ..claims(scopes) };
        self.sdk_session(TokenScope::Agent, tenant, agent.id.as_str(), claims).await
    }

    /// An SDK token for the first tenant's administration, for a person who is not an agent.
    pub async fn admin_token(&self, scopes: &[&str]) -> String {
        let actor = "crm-admin-7".to_owned();
        let subject = format!("actor:{actor}");
        let claims = SdkClaims { role: Some("admin".to_owned()), actor: Some(actor), ..claims(scopes) };
        self.sdk_session(TokenScope::Admin, self.first_tenant(), &subject, claims).await
    }

    /// The session token of an anonymous visitor of a tenant.
    pub async fn visitor_token(&self, slug: &str) -> String {
        let tenant = self.tenant(slug);
        let (id, now) = (tenant.id.clone(), self.clock.now());
        let profile = VisitorProfile { metadata: "{}".to_owned(), ..VisitorProfile::default() };
        let visitor = self.write(move |c| visitors::visitor_begin_session(c, &id, &profile, now)).await;
        self.sdk_session(TokenScope::Visitor, tenant, visitor.id.as_str(), SdkClaims::default()).await
    }

    async fn sdk_session(
        &self,
        scope: TokenScope,
        tenant: &Tenant,
        subject: &str,
        claims: SdkClaims,
    ) -> String {
        let (id, key, subject, now) =
            (tenant.id.clone(), tenant.key_id.clone(), subject.to_owned(), self.clock.now());
        let expires_at = now + chrono::Duration::minutes(15);
        // A visitor comes by itself, the others by the tenant's key.
        let by_key = scope != TokenScope::Visitor;
        let begin = move |c: &mut Conn| {
            let new = NewSession {
                subject_kind: scope.as_str(),
                subject_id: &subject,
                credential_id: by_key.then(|| key.as_str()),
                refresh_hash: None,
                expires_at,
            };
            ringnity_store::identity::session_insert(c, Some(&id), &new, now)
        };
        let session = self.write(begin).await;
        let grant = SdkGrant {
            scope,
            subject: &session.subject_id,
            tenant: tenant.id.as_str(),
            session: session.id.as_str(),
            expires_at: session.expires_at,
            claims,
        };
        self.signer().await.sign_sdk(grant, now).expect("signs")
    }

    /// A Server API key of the first tenant with these scopes.
    pub async fn key_with(&self, scopes: &[&str]) -> String {
        let (tenant, now) = (self.tenant_id(), self.clock.now());
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.write(move |c| fixtures::insert_key(c, &tenant, "Key of a test", &scopes, now)).await.1
    }

    /// Signs an agent in to the workspace; returns the `data` of the answer.
    pub async fn workspace_session(&self, slug: &str, username: &str) -> Value {
        let agent = self.tenant(slug).agent(username);
        let body = json!({ "username": agent.username, "password": agent.password });
        let path = format!("/api/auth/workspace-login?slug={slug}");
        self.post(&path).json(&body).send().await.ok().data().clone()
    }

    /// A token that the Server API makes: `kind` is the end of its path.
    pub async fn sdk_token(&self, kind: &str, key: &str, body: &Value) -> String {
        let path = format!("/api/server/sdk-token/{kind}");
        let answer = self.post(&path).bearer(key).json(body).send().await.status(StatusCode::CREATED);
        answer.data()["token"].as_str().expect("token").to_owned()
    }

    /// A context token of the first tenant for `visitor`, made by the Server API.
    pub async fn context_token(&self, visitor: &Value) -> String {
        let body = json!({ "visitor": visitor });
        let request = self.post("/api/server/visitor-context-token").bearer(self.key()).json(&body);
        let answer = request.send().await.status(StatusCode::CREATED);
        answer.data()["token"].as_str().expect("token").to_owned()
    }

    /// The token of a visitor's session that the server makes from `body`.
    pub async fn visitor_session(&self, body: &Value) -> String {
        let answer = self.post("/api/sdk/session").json(body).send().await.status(StatusCode::CREATED);
        answer.data()["sessionToken"].as_str().expect("session").to_owned()
    }

    /// Enables or disables the first tenant, as its operator would.
    pub async fn set_tenant_active(&self, active: bool) {
        let changes = TenantChanges { is_active: Some(active), ..TenantChanges::default() };
        self.change_tenant(changes).await;
    }

    /// Puts the first tenant on another plan.
    pub async fn change_plan(&self, slug: &'static str) {
        let plan = self.read(move |c| tenants::plan_by_slug(c, slug)).await.expect("a plan");
        let changes = TenantChanges { plan_id: Some(plan.id), ..TenantChanges::default() };
        self.change_tenant(changes).await;
    }

    async fn change_tenant(&self, changes: TenantChanges) {
        let (tenant, now) = (self.tenant_id(), self.clock.now());
        let changed = self.write(move |c| tenants::tenant_update(c, &tenant, &changes, now)).await;
        assert!(changed.is_some());
    }

    /// Adds a feature to the first tenant's plan, or removes it.
    pub async fn set_feature(&self, feature: &'static str, enabled: bool) {
        let tenant = self.tenant_id();
        self.write(move |c| {
            let feature = tenants::PlanFeature {
                plan_id: tenants::plan_of_tenant(c, &tenant)?.expect("a plan").id,
                feature_key: feature.to_owned(),
                enabled,
                config: "{}".to_owned(),
            };
            tenants::plan_feature_put(c, &feature)
        })
        .await;
    }

    /// Sets how many of something the first tenant's plan allows; `None` is without a limit.
    pub async fn set_quota(&self, quota: &'static str, limit: impl Into<Option<i64>>) {
        let (tenant, limit) = (self.tenant_id(), limit.into());
        self.write(move |c| {
            let quota = tenants::PlanQuota {
                plan_id: tenants::plan_of_tenant(c, &tenant)?.expect("a plan").id,
                quota_key: quota.to_owned(),
                value_type: if limit.is_some() { "number" } else { "unlimited" }.to_owned(),
                limit_value: limit,
                reset_period: None,
                config: "{}".to_owned(),
            };
            tenants::plan_quota_put(c, &quota)
        })
        .await;
    }

    /// Single deliveries that are left in the table of jobs. Recurring jobs have a row with no subject.
    fn jobs_left(&self) -> Vec<Value> {
        let mut rows = self.database.rows("jobs");
        rows.retain(|row| row["subject"] != "");
        rows
    }
}

fn claims(scopes: &[&str]) -> SdkClaims {
    SdkClaims { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..SdkClaims::default() }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let started = Instant::now();
        let wait = |what: &str, ended: &dyn Fn() -> bool| {
            while !ended() {
                assert!(started.elapsed() < END_TIMEOUT, "{what} when the test ended");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        if let Some(running) = &self.running {
            wait("a request was in flight", &|| running.in_flight() == 0);
        }
        if !self.leaves_jobs.load(Ordering::Relaxed) {
            let left = self.jobs_left();
            wait(&format!("jobs were left over, such as {left:?},"), &|| self.jobs_left().is_empty());
        }
    }
}
