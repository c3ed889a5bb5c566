//! Queries of the smaller resources.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use ringnity_store::{
    PlanId, StoreError, constraint,
    events::{EventName, event_append, event_last_at},
    identity::{self, AgentChanges, NewAgent, NewSession, NewSigningKey, Rotation},
    login::{self, NewOauthClient, OauthClientChanges},
    tenants::{self, Feature, NewTenant, PlanFeature, PlanQuota, Quota, TenantChanges},
    to_stored_precision,
};

use crate::support::{noon, on_each_engine, tenant, tenant_on};

#[tokio::test(flavor = "multi_thread")]
async fn tenant_is_found_by_id_slug_and_public_key() {
    on_each_engine(async |store, _| {
        let new = NewTenant {
            name: Some("Ärger & Söhne".into()),
            logo_url: Some("https://example.com/l.png".into()),
            ..NewTenant::new("demo", "pk_1", "a@b.c", PlanId::from("pln_starter"))
        };
        let now = Utc::now(); // with nanoseconds, which neither engine stores
        let made = store.write(move |c| tenants::tenant_insert(c, &new, now)).await.unwrap();
        assert_eq!(made.created_at, to_stored_precision(now));
        let found = store
            .read({
                let id = made.id.clone();
                move |c| {
                    Ok::<_, StoreError>([
                        tenants::tenant_get(c, &id)?,
                        tenants::tenant_by_slug(c, "demo")?,
                        tenants::tenant_by_public_key(c, "pk_1")?,
                    ])
                }
            })
            .await
            .unwrap();
        assert_eq!(found, [Some(made.clone()), Some(made.clone()), Some(made.clone())]);

        let changed = store
            .write(move |c| {
                let changes =
                    TenantChanges { name: Some(None), is_active: Some(false), ..TenantChanges::default() };
                tenants::tenant_update(c, &made.id, &changes, noon())
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!((changed.name, changed.is_active), (None, false));
        let taken = store.write(|c| tenant_on(c, "demo")).await.unwrap_err();
        assert!(taken.is_conflict_on(constraint::TENANT_SLUG), "{taken:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_are_replaced_without_duplicates() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let lists: Vec<Vec<String>> = store
            .write(move |c| {
                let mut lists = Vec::new();
                for wanted in [vec!["b.com", "a.com", "b.com"], vec!["c.com", "a.com"], vec![]] {
                    let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
                    tenants::tenant_domain_replace(c, &t, &wanted, noon())?;
                    lists.push(tenants::tenant_domain_list(c, &t)?);
                }
                Ok::<_, StoreError>(lists)
            })
            .await
            .unwrap();
        assert_eq!(lists, [vec!["a.com", "b.com"], vec!["a.com", "c.com"], vec![]]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_emails_are_case_insensitive() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let error = store
            .write(move |c| {
                identity::owner_insert(c, &t, "Ann@Example.COM", Some("h"), None, noon())?;
                assert!(identity::owner_by_email(c, " aNN@example.com ")?.is_some());
                identity::platform_admin_insert(c, "Root@Example.com", "h", "R", "platform_owner", noon())?;
                assert!(identity::platform_admin_by_email(c, "ROOT@example.com")?.is_some());
                identity::owner_insert(c, &t, "ANN@example.com", None, None, noon())
            })
            .await
            .unwrap_err();
        assert!(error.is_conflict_on(constraint::OWNER_EMAIL), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_is_touched_once_a_minute_and_rotated() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        store
            .write(move |c| {
                let new = tenants::NewServerCredential {
                    name: "k".into(),
                    environment: "test".into(),
                    scopes: vec!["server:health".into(), "a\"b\\c".into()],
                    secret_hash: "h1".into(),
                    secret_preview: "p1".into(),
                };
                let key = tenants::server_credential_insert(c, &t, &new, noon())?;
                assert_eq!(tenants::server_credential_by_secret_hash(c, "h1")?, Some(key.clone()));
                let mut noted = Vec::new();
                for seconds in [0, 1, 59, 60, 61, 120] {
                    let now = noon() + TimeDelta::seconds(seconds);
                    let key = tenants::server_credential_get(c, &t, &key.id)?.unwrap();
                    let due = key.touch_due(now);
                    assert_eq!(tenants::server_credential_touch(c, &t, &key.id, now)?, due);
                    noted.push(due);
                }
                assert_eq!(noted, [true, false, false, true, false, true]);
                let rotated = tenants::server_credential_rotate(c, &t, &key.id, "h2", "p2", noon())?.unwrap();
                assert_eq!(tenants::server_credential_by_secret_hash(c, "h1")?, None);
                assert_eq!(tenants::server_credential_by_secret_hash(c, "h2")?, Some(rotated));
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_token_reuse_revokes_the_session() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let day = TimeDelta::days(1);
        let rotate = |from: &'static str, to: String, now| {
            let store = store.clone();
            async move { store.write(move |c| identity::session_rotate(c, from, &to, now + day, now)).await }
        };
        let family = store
            .write(move |c| {
                let new = NewSession {
                    subject_kind: "owner",
                    subject_id: "own_1",
                    credential_id: None,
                    refresh_hash: Some("t1"),
                    expires_at: noon() + day,
                };
                identity::session_insert(c, Some(&t), &new, noon())
            })
            .await
            .unwrap();

        // A hundred concurrent calls: one gets the next token, the others find the session revoked.
        let mut tries = Vec::new();
        for n in 0..100 {
            tries.push(tokio::spawn(rotate("t1", format!("t2-{n}"), noon())));
        }
        let (mut rotated, mut refused) = (0, 0);
        for attempt in tries {
            match attempt.await.unwrap().unwrap() {
                Rotation::Rotated(_) => rotated += 1,
                Rotation::Reused(_) | Rotation::Ended(_) => refused += 1,
                Rotation::Unknown => panic!("the token is known"),
            }
        }
        assert_eq!((rotated, refused), (1, 99));
        let after = store.read(move |c| identity::session_get(c, &family.id)).await.unwrap().unwrap();
        assert_eq!(after.revoked_reason.as_deref(), Some(identity::REASON_REUSED));
        assert!(!after.is_live(noon()));
        assert!(matches!(rotate("t1", "t3".into(), noon()).await.unwrap(), Rotation::Ended(_)));
        assert!(matches!(rotate("nobody's", "t4".into(), noon()).await.unwrap(), Rotation::Unknown));

        // An expired token does nothing.
        store
            .write(move |c| {
                let new = NewSession {
                    subject_kind: "platform",
                    subject_id: "pad_1",
                    credential_id: None,
                    refresh_hash: Some("p1"),
                    expires_at: noon() + day,
                };
                identity::session_insert(c, None, &new, noon())
            })
            .await
            .unwrap();
        assert!(matches!(rotate("p1", "p2".into(), noon() + day).await.unwrap(), Rotation::Ended(_)));
        let deleted =
            store.write(move |c| identity::session_delete_expired(c, noon() + day * 3, 500)).await.unwrap();
        // Two sessions with three tokens.
        assert_eq!(deleted, 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revokes_only_sessions_of_the_credential() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        store
            .write(move |c| {
                let later = noon() + TimeDelta::hours(1);
                let first = NewSession {
                    subject_kind: "visitor",
                    subject_id: "a",
                    credential_id: Some("scr_1"),
                    refresh_hash: None,
                    expires_at: later,
                };
                let second = NewSession { subject_id: "b", ..first.clone() };
                let other = NewSession { credential_id: Some("scr_2"), ..first.clone() };
                let owner = NewSession {
                    subject_kind: "owner",
                    subject_id: "own_1",
                    credential_id: None,
                    refresh_hash: Some("t1"),
                    expires_at: later,
                };
                let mut made = |new: &NewSession<'_>| identity::session_insert(c, Some(&t), new, noon());
                let ending = [made(&first)?, made(&second)?];
                let (staying, signed_in) = (made(&other)?, made(&owner)?);
                assert_eq!(identity::session_revoke_by_credential(c, &t, "scr_1", noon())?, 2);
                assert_eq!(
                    identity::session_revoke_by_credential(c, &t, "scr_1", noon())?,
                    0,
                    "once is enough"
                );
                for session in ending {
                    assert_eq!(session.credential_id.as_deref(), Some("scr_1"));
                    let session = identity::session_get(c, &session.id)?.unwrap();
                    assert!(!session.is_live(noon()));
                    assert_eq!(session.revoked_reason.as_deref(), Some(identity::REASON_CREDENTIAL_ENDED));
                }
                for session in [staying, signed_in] {
                    assert_eq!(identity::session_get(c, &session.id)?, Some(session));
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_client_is_found_by_client_id_until_deleted() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let new = |client_id: &str| NewOauthClient {
            client_id: client_id.to_owned(),
            name: "CRM".into(),
            client_type: "confidential".into(),
            secret_hash: Some("h1".into()),
            redirect_uris: vec!["https://crm.example.com/back?a=\"b\"".into()],
            allowed_scopes: vec!["openid".into(), "email".into()],
            require_pkce: false,
        };
        let (one, other) = (new("rn_1"), new("rn_2"));
        let taken = store
            .write({
                let (t, one, other) = (t.clone(), one.clone(), other.clone());
                move |c| {
                    let made = login::oauth_client_insert(c, &t, &one, noon())?;
                    let later = noon() + TimeDelta::seconds(1);
                    let second = login::oauth_client_insert(c, &t, &other, later)?;
                    let found = login::oauth_client_by_client_id(c, "rn_1")?;
                    assert_eq!(found.as_ref(), Some(&made));
                    let listed = login::oauth_client_list(c, &t)?;
                    assert_eq!(listed, [second.clone(), made.clone()], "newest first");
                    let changes = OauthClientChanges {
                        secret_hash: Some(None),
                        revoked_at: Some(Some(later)),
                        ..OauthClientChanges::default()
                    };
                    let changed = login::oauth_client_update(c, &t, &made.id, &changes, later)?;
                    assert_eq!(login::oauth_client_get(c, &t, &made.id)?, changed);
                    assert_eq!(
                        changed.map(|client| (client.secret_hash, client.revoked_at)),
                        Some((None, Some(later)))
                    );
                    for (seconds, due) in [(0, true), (59, false), (60, true)] {
                        let now = noon() + TimeDelta::seconds(seconds);
                        let client = login::oauth_client_get(c, &t, &second.id)?.unwrap();
                        assert_eq!(client.touch_due(now), due);
                        assert_eq!(login::oauth_client_touch(c, &t, &second.id, now)?, due);
                    }
                    assert_eq!(login::oauth_client_count(c, &t)?, 2);
                    assert!(login::oauth_client_delete(c, &t, &made.id)?);
                    assert!(!login::oauth_client_delete(c, &t, &made.id)?);
                    assert_eq!(login::oauth_client_by_client_id(c, "rn_1")?, None);
                    Ok::<_, StoreError>(())
                }
            })
            .await;
        taken.unwrap();
        let taken = store.write(move |c| login::oauth_client_insert(c, &t, &other, noon())).await;
        assert!(taken.unwrap_err().is_conflict_on(constraint::OAUTH_CLIENT_CLIENT_ID));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_one_signing_key_and_keep_retired_ones() {
    on_each_engine(async |store, _| {
        let key = |n: u32| NewSigningKey {
            algorithm: "HS256".into(),
            private_key: format!("secret {n}"),
            public_key: None,
        };
        let mut nodes = Vec::new();
        for n in 0..16 {
            let (store, new) = (store.clone(), key(n));
            nodes.push(tokio::spawn(async move {
                store.write(move |c| identity::signing_key_ensure(c, "session", &new, noon())).await.unwrap()
            }));
        }
        let mut keys = Vec::new();
        for node in nodes {
            keys.push(node.await.unwrap());
        }
        assert!(keys.iter().all(|key| *key == keys[0]));

        let later = noon() + TimeDelta::hours(1);
        let next =
            store.write(move |c| identity::signing_key_rotate(c, "session", &key(99), later)).await.unwrap();
        let (current, all) = store
            .read(|c| {
                Ok::<_, StoreError>((
                    identity::signing_key_current(c, "session")?,
                    identity::signing_key_list(c, "session")?,
                ))
            })
            .await
            .unwrap();
        assert_eq!(current, Some(next.clone()));
        assert_eq!(all.iter().map(|key| &key.kid).collect::<Vec<_>>(), [&next.kid, &keys[0].kid]);
        assert_eq!(all[1].retired_at, Some(later));
        let deleted = store
            .write(move |c| identity::signing_key_delete_retired(c, later + TimeDelta::hours(1)))
            .await
            .unwrap();
        assert_eq!(deleted, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog_has_exactly_the_known_features_and_quotas() {
    on_each_engine(async |store, _| {
        let catalog = store.read(tenants::plan_catalog).await.unwrap();
        let features: BTreeSet<&str> = Feature::ALL.iter().map(|feature| feature.as_str()).collect();
        let rows: BTreeSet<&str> = catalog.feature_keys.iter().map(|row| row.feature_key.as_str()).collect();
        assert_eq!(features, rows);
        let quotas: BTreeSet<&str> = Quota::ALL.iter().map(|quota| quota.as_str()).collect();
        let rows: BTreeSet<&str> = catalog.quota_keys.iter().map(|row| row.quota_key.as_str()).collect();
        assert_eq!(quotas, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plan_defines_every_feature_and_quota() {
    on_each_engine(async |store, _| {
        let catalog = store.read(tenants::plan_catalog).await.unwrap();
        assert_eq!(catalog.features.len(), catalog.plans.len() * catalog.feature_keys.len());
        assert_eq!(catalog.quotas.len(), catalog.plans.len() * catalog.quota_keys.len());
        assert!(
            catalog.quotas.iter().all(|quota| (quota.value_type == "number") == quota.limit_value.is_some())
        );

        let t = tenant(&store, "a").await;
        store
            .write(move |c| {
                assert_eq!(tenants::plan_of_tenant(c, &t)?.unwrap().slug, "free");
                assert!(!tenants::plan_features_of_tenant(c, &t)?.contains(&Feature::Voice));
                let plan_id = PlanId::from("pln_free");
                let feature = PlanFeature {
                    plan_id: plan_id.clone(),
                    feature_key: "voice".into(),
                    enabled: true,
                    config: "{}".into(),
                };
                tenants::plan_feature_put(c, &feature)?;
                assert!(tenants::plan_features_of_tenant(c, &t)?.contains(&Feature::Voice));
                let (found, features) = tenants::tenant_get_with_features(c, &t)?.unwrap();
                assert_eq!(Some(found), tenants::tenant_get(c, &t)?);
                let all = tenants::plan_features_of_tenant(c, &t)?;
                assert_eq!(features.iter().collect::<Vec<_>>(), all);
                assert_eq!(tenants::tenant_get_with_features(c, &"ten_unknown".into())?, None);
                let quota = PlanQuota {
                    plan_id,
                    quota_key: "agents".into(),
                    value_type: "unlimited".into(),
                    limit_value: None,
                    reset_period: None,
                    config: "{}".into(),
                };
                assert_eq!(tenants::plan_quota_of_tenant(c, &t, Quota::Agents)?.unwrap().limit(), Some(2));
                tenants::plan_quota_put(c, &quota)?;
                assert_eq!(tenants::plan_quota_of_tenant(c, &t, Quota::Agents)?.unwrap().limit(), None);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_active_agents_without_the_excluded_role() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let count = store.write(move |c| {
            for (username, role) in [("ann", "admin"), ("bob", "agent"), ("me", "owner"), ("off", "agent")] {
                let new = NewAgent {
                    username: username.into(),
                    password_hash: None,
                    name: "Ann".into(),
                    email: None,
                    role: role.into(),
                    department_id: None,
                };
                let made = identity::agent_insert(c, &t, &new, noon())?;
                let changes = AgentChanges { is_active: Some(username != "off"), ..AgentChanges::default() };
                identity::agent_update(c, &t, &made.id, &changes, noon())?;
            }
            identity::agent_count_active(c, &t, "owner")
        });
        assert_eq!(count.await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_keep_order_and_roll_back_with_their_write() {
    on_each_engine(async |store, database| {
        let t = tenant(&store, "a").await;
        let failed = {
            let t = t.clone();
            store.write(move |c| {
                event_append(c, &t, EventName::ContactCreated, None, "{}", noon())?;
                Err::<(), _>(StoreError::Busy("on purpose".into()))
            })
        };
        failed.await.unwrap_err();
        let at = |n: i64| noon() + TimeDelta::seconds(n);
        store
            .write({
                let t = t.clone();
                move |c| {
                    (0..5).try_for_each(|n| {
                        event_append(c, &t, EventName::ContactCreated, None, &n.to_string(), at(n))
                    })
                }
            })
            .await
            .unwrap();
        let told: Vec<_> = database.events().iter().map(|event| event["payload"].clone()).collect();
        assert_eq!(told, ["0", "1", "2", "3", "4"]);
        assert_eq!(store.read(move |c| event_last_at(c, &t)).await.unwrap(), Some(at(4)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nul_byte_is_invalid_text_or_not_found() {
    on_each_engine(async |store, _| match store.read(|c| tenants::tenant_by_slug(c, "a\0b")).await {
        Ok(found) => assert_eq!(found, None),
        Err(error) => assert!(matches!(error, StoreError::InvalidText), "{error:?}"),
    })
    .await;
}
