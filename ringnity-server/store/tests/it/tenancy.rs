//! Tenant isolation: every query that takes a tenant finds and changes nothing when it is called for rows of another
//! tenant. The last test fails if a query is missing here.

use ringnity_store::{
    Conn, PageRequest, StoreError, TenantId,
    contacts::{self, ContactChanges, ContactFilter, ContactInput},
    events::{self, EventName},
    identity::{self, AgentChanges, NewAgent, NewSession},
    login::{self, NewOauthClient, OauthClientChanges},
    tenants::{self, NewServerCredential, ServerCredentialChanges},
    visitors::{self, VisitorProfile},
};

use crate::support::{noon, on_each_engine, tenant_on};

fn agent(username: &str) -> NewAgent {
    NewAgent {
        username: username.to_owned(),
        password_hash: None,
        name: "Ann".into(),
        email: None,
        role: "admin".into(),
        department_id: None,
    }
}

fn contact(external_id: &str) -> ContactInput {
    ContactInput {
        external_id: Some(external_id.to_owned()),
        name: "Ann".into(),
        phone: "+1".into(),
        tags: Some(vec!["vip".into()]),
        ..ContactInput::default()
    }
}

fn credential(hash: &str) -> NewServerCredential {
    NewServerCredential {
        name: "key".into(),
        environment: "live".into(),
        scopes: vec!["server:health".into()],
        secret_hash: hash.to_owned(),
        secret_preview: "rn_sk_live_…".into(),
    }
}

pub(crate) fn new_device(device_id: &str, token_hash: &str) -> visitors::NewDevice {
    visitors::NewDevice {
        subject_kind: "visitor".into(),
        subject_id: "v".into(),
        platform: "android".into(),
        provider: "fcm".into(),
        token: "secret".into(),
        token_hash: token_hash.to_owned(),
        device_id: Some(device_id.to_owned()),
        app_id: None,
        audience: "visitor".into(),
        external_id: None,
        agent_id: None,
        call_mode: "basic".into(),
        metadata: "{}".into(),
    }
}

fn application(client_id: &str) -> NewOauthClient {
    NewOauthClient {
        client_id: client_id.to_owned(),
        name: "app".into(),
        client_type: "confidential".into(),
        secret_hash: Some("h".into()),
        redirect_uris: vec!["https://example.com/callback".into()],
        allowed_scopes: vec!["openid".into()],
        require_pkce: true,
    }
}

/// Everything visible to the tenant `mine`.
fn all_of(c: &mut Conn, mine: &TenantId) -> Result<String, StoreError> {
    let contacts = contacts::contact_list(c, mine, &ContactFilter::default(), PageRequest::new(1, 100))?;
    Ok(format!(
        "{:?}",
        (
            tenants::tenant_get(c, mine)?,
            tenants::tenant_domain_list(c, mine)?,
            tenants::subscription_get(c, mine)?,
            tenants::plan_of_tenant(c, mine)?,
            identity::owner_list(c, mine)?,
            identity::department_list(c, mine)?,
            identity::agent_list(c, mine)?,
            tenants::server_credential_list(c, mine)?,
            login::oauth_client_list(c, mine)?,
            events::event_last_at(c, mine)?,
            contacts,
        )
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_returns_rows_of_another_tenant() {
    on_each_engine(async |store, _| {
        store
            .write(|c| {
                let now = noon();
                let (mine, yours) = (tenant_on(c, "mine")?, tenant_on(c, "yours")?);
                let owner = identity::owner_insert(c, &mine, "Me@Example.com", Some("hash"), None, now)?;
                let department = identity::department_insert(c, &mine, "Sales", now)?;
                let an_agent = identity::agent_insert(c, &mine, &agent("ann"), now)?;
                let key = tenants::server_credential_insert(c, &mine, &credential("h1"), now)?;
                let app = login::oauth_client_insert(c, &mine, &application("rn_1"), now)?;
                let person = contacts::contact_insert(c, &mine, &contact("x"), now)?;
                tenants::tenant_domain_replace(c, &mine, &["example.com".to_owned()], now)?;
                tenants::subscription_put(c, &mine, "active", None, now)?;
                events::event_append(c, &mine, EventName::ContactCreated, Some("x"), "{}", now)?;
                let new = NewSession {
                    subject_kind: "owner",
                    subject_id: owner.id.as_str(),
                    credential_id: None,
                    refresh_hash: Some("t1"),
                    expires_at: now,
                };
                let session = identity::session_insert(c, Some(&mine), &new, now)?;
                identity::owner_identity_insert(c, &mine, &owner.id, "google", "1", "me@example.com", now)?;
                identity::owner_agent_insert(c, &mine, &owner.id, &an_agent.id)?;
                let before = all_of(c, &mine)?;

                // Owners
                assert_eq!(identity::owner_get(c, &yours, &owner.id)?, None);
                assert!(identity::owner_list(c, &yours)?.is_empty());
                assert!(!identity::owner_set_password(c, &yours, &owner.id, None, now)?);
                assert!(!identity::owner_set_active(c, &yours, &owner.id, false, now)?);
                identity::owner_record_login(c, &yours, &owner.id, now)?;
                assert!(identity::owner_identity_list(c, &yours, &owner.id)?.is_empty());
                assert_eq!(identity::owner_agent_get(c, &yours, &owner.id)?, None);
                assert_eq!(identity::owner_by_agent(c, &yours, &an_agent.id)?, None);
                assert_eq!(identity::owner_by_agent(c, &mine, &an_agent.id)?, Some(owner.clone()));
                // Agents and departments
                assert_eq!(identity::agent_get(c, &yours, &an_agent.id)?, None);
                assert_eq!(identity::agent_by_username(c, &yours, "ann")?, None);
                assert!(identity::agent_list(c, &yours)?.is_empty());
                assert_eq!(identity::agent_count_active(c, &yours, "owner")?, 0);
                let changes = AgentChanges { is_active: Some(false), ..AgentChanges::default() };
                assert_eq!(identity::agent_update(c, &yours, &an_agent.id, &changes, now)?, None);
                identity::agent_record_login(c, &yours, &an_agent.id, now)?;
                assert_eq!(identity::department_get(c, &yours, &department.id)?, None);
                assert!(identity::department_list(c, &yours)?.is_empty());
                // Credentials
                assert_eq!(tenants::server_credential_get(c, &yours, &key.id)?, None);
                assert!(tenants::server_credential_list(c, &yours)?.is_empty());
                let changes = ServerCredentialChanges { is_active: Some(false), ..Default::default() };
                assert_eq!(tenants::server_credential_update(c, &yours, &key.id, &changes, now)?, None);
                assert_eq!(tenants::server_credential_rotate(c, &yours, &key.id, "h2", "p", now)?, None);
                assert!(!tenants::server_credential_touch(c, &yours, &key.id, now)?);
                // Visitors and their devices
                let profile = VisitorProfile {
                    external_id: Some("x".into()),
                    metadata: "{}".into(),
                    ..VisitorProfile::default()
                };
                let visitor = visitors::visitor_begin_session(c, &mine, &profile, now)?;
                let new = NewSession {
                    subject_kind: "visitor_context",
                    subject_id: "x",
                    credential_id: None,
                    refresh_hash: None,
                    expires_at: now,
                };
                let context = identity::session_insert(c, Some(&mine), &new, now)?;
                visitors::visitor_context_insert(c, &mine, &context.id, &profile)?;
                let device = visitors::device_put(c, &mine, &new_device("d", "h"), now)?;
                assert_eq!(visitors::visitor_get(c, &yours, &visitor.id)?, None);
                assert_eq!(visitors::visitor_by_external_id(c, &yours, "x")?, None);
                assert_ne!(visitors::visitor_begin_session(c, &yours, &profile, now)?.id, visitor.id);
                assert_eq!(visitors::visitor_context_get(c, &yours, &context.id)?, None);
                assert!(visitors::visitor_context_get(c, &mine, &context.id)?.is_some());
                assert!(visitors::device_find(c, &yours, "fcm", Some("d"), Some("h"))?.is_empty());
                assert!(visitors::device_list_of(c, &yours, "visitor", "v")?.is_empty());
                assert!(!visitors::device_disable(c, &yours, &device.id, now)?);
                assert_ne!(visitors::device_put(c, &yours, &new_device("d", "h"), now)?.id, device.id);
                assert_eq!(visitors::device_find(c, &mine, "fcm", Some("d"), None)?, vec![device]);
                assert_eq!(visitors::visitor_get(c, &mine, &visitor.id)?, Some(visitor));
                assert_eq!(tenants::server_credential_count_active(c, &yours)?, 0);
                // OAuth clients
                assert_eq!(login::oauth_client_get(c, &yours, &app.id)?, None);
                assert!(login::oauth_client_list(c, &yours)?.is_empty());
                assert_eq!(login::oauth_client_count(c, &yours)?, 0);
                let changes = OauthClientChanges { name: Some("Eve".into()), ..Default::default() };
                assert_eq!(login::oauth_client_update(c, &yours, &app.id, &changes, now)?, None);
                assert!(!login::oauth_client_touch(c, &yours, &app.id, now)?);
                assert!(!login::oauth_client_delete(c, &yours, &app.id)?);
                // Contacts
                assert_eq!(contacts::contact_get(c, &yours, &person.id)?, None);
                assert_eq!(contacts::contact_by_external_id(c, &yours, "x")?, None);
                assert_eq!(contacts::contact_count(c, &yours)?, 0);
                let changes = ContactChanges { name: Some("Eve".into()), ..ContactChanges::default() };
                assert_eq!(contacts::contact_update(c, &yours, &person.id, &changes, now)?, None);
                assert!(!contacts::contact_delete(c, &yours, &person.id)?);
                for filter in [
                    ContactFilter::default(),
                    ContactFilter { search: Some("ann".into()), tags: vec![] },
                    ContactFilter { search: None, tags: vec!["vip".into()] },
                ] {
                    let page = contacts::contact_list(c, &yours, &filter, PageRequest::new(1, 10))?;
                    assert_eq!((page.rows.len(), page.total), (0, 0));
                }
                // The same external id and phone are a different contact there.
                assert!(contacts::contact_upsert(c, &yours, &contact("x"), now)?.created);
                // Tenant, plan, events, sessions
                assert!(tenants::tenant_domain_list(c, &yours)?.is_empty());
                let asked = ["example.com".to_owned(), "*.com".to_owned()];
                assert!(tenants::tenant_domain_matching(c, &yours, &asked)?.is_empty());
                assert_eq!(tenants::tenant_domain_matching(c, &mine, &asked)?, ["example.com"]);
                tenants::tenant_domain_replace(c, &yours, &[], now)?;
                assert_eq!(tenants::subscription_get(c, &yours)?, None);
                tenants::subscription_put(c, &yours, "canceled", None, now)?;
                tenants::plan_features_of_tenant(c, &yours)?;
                tenants::plan_of_tenant_includes(c, &yours, tenants::Feature::Contacts)?;
                tenants::plan_quota_of_tenant(c, &yours, tenants::Quota::Agents)?;
                assert_eq!(events::event_last_at(c, &yours)?, None);
                assert_eq!(events::event_redact(c, &yours, "x", "gone")?, 0);
                assert_eq!(events::event_redact(c, &mine, "x", "{}")?, 1);
                let ended =
                    identity::session_revoke_subject(c, Some(&yours), "owner", owner.id.as_str(), "x", now)?;
                assert_eq!(ended, 0);
                assert_eq!(identity::session_get(c, &session.id)?, Some(session));
                let new = NewSession {
                    subject_kind: "agent",
                    subject_id: an_agent.id.as_str(),
                    credential_id: Some(key.id.as_str()),
                    refresh_hash: None,
                    expires_at: now,
                };
                let made = identity::session_insert(c, Some(&mine), &new, now)?;
                assert_eq!(identity::session_revoke_by_credential(c, &yours, key.id.as_str(), now)?, 0);
                assert_eq!(identity::session_get(c, &made.id)?, Some(made));

                assert_eq!(all_of(c, &mine)?, before);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_cannot_have_department_of_another_tenant() {
    on_each_engine(async |store, _| {
        let error = store
            .write(|c| {
                let (mine, yours) = (tenant_on(c, "mine")?, tenant_on(c, "yours")?);
                let department = identity::department_insert(c, &mine, "Sales", noon())?;
                let new = NewAgent { department_id: Some(department.id), ..agent("eve") };
                identity::agent_insert(c, &yours, &new, noon())
            })
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cannot_link_to_owner_of_another_tenant() {
    on_each_engine(async |store, _| {
        let (yours, owner, an_agent, session) = store
            .write(|c| {
                let (mine, yours) = (tenant_on(c, "mine")?, tenant_on(c, "yours")?);
                let owner = identity::owner_insert(c, &mine, "me@example.com", None, None, noon())?;
                let an_agent = identity::agent_insert(c, &yours, &agent("eve"), noon())?;
                let new = NewSession {
                    subject_kind: "owner",
                    subject_id: owner.id.as_str(),
                    credential_id: None,
                    refresh_hash: Some("t"),
                    expires_at: noon(),
                };
                let session = identity::session_insert(c, Some(&mine), &new, noon())?;
                Ok::<_, StoreError>((yours, owner.id, an_agent.id, session.id))
            })
            .await
            .unwrap();
        let (tenant, of) = (yours.clone(), owner.clone());
        let token = store.write(move |c| {
            identity::entry_token_insert(c, &tenant, &of, &session, "e", noon(), noon()).map(drop)
        });
        let (tenant, of) = (yours.clone(), owner.clone());
        let identity = store.write(move |c| {
            identity::owner_identity_insert(c, &tenant, &of, "google", "1", "e", noon()).map(drop)
        });
        let agent = store.write(move |c| identity::owner_agent_insert(c, &yours, &owner, &an_agent));
        for refused in [token.await, identity.await, agent.await] {
            assert!(matches!(refused, Err(StoreError::Reference(_))), "{refused:?}");
        }
    })
    .await;
}

#[test]
fn every_query_with_a_tenant_is_tested_above() {
    let tested = include_str!("tenancy.rs");
    let mut queries = 0;
    for file in files(concat!(env!("CARGO_MANIFEST_DIR"), "/src").as_ref()) {
        let source = std::fs::read_to_string(file).unwrap();
        for function in source.split("\npub fn ").skip(1) {
            let (name, rest) = function.split_once('(').unwrap();
            let arguments = rest.split(") ->").next().unwrap();
            if arguments.contains("tenant: &TenantId") || arguments.contains("tenant: Option<&TenantId>") {
                queries += 1;
                assert!(
                    tested.contains(&format!("::{name}(")),
                    "{name} takes a tenant and is not tested here"
                );
            }
        }
    }
    assert!(queries > 30, "only {queries} queries found: does the search of this test still work?");
}

/// All files below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
