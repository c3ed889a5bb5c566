//! Visitors and devices.

use chrono::TimeDelta;
use ringnity_store::{
    StoreError,
    identity::{self, NewSession},
    tenants,
    visitors::{self, VisitorProfile},
};

use crate::support::{noon, on_each_engine, tenant_on};
use crate::tenancy::new_device;

fn profile(external_id: Option<&str>, name: Option<&str>) -> VisitorProfile {
    VisitorProfile {
        external_id: external_id.map(str::to_owned),
        name: name.map(str::to_owned),
        metadata: "{}".into(),
        ..VisitorProfile::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verified_identity_has_one_visitor() {
    on_each_engine(async |store, _| {
        store
            .write(|c| {
                let mine = tenant_on(c, "mine")?;
                let later = noon() + TimeDelta::hours(1);
                let first =
                    visitors::visitor_begin_session(c, &mine, &profile(Some("x"), Some("Ann")), noon())?;
                let again = visitors::visitor_begin_session(c, &mine, &profile(Some("x"), None), later)?;
                assert_eq!((&again.id, again.name.as_deref()), (&first.id, Some("Ann")));
                assert_eq!((again.updated_at, again.last_seen_at), (noon(), later));
                let renamed =
                    visitors::visitor_begin_session(c, &mine, &profile(Some("x"), Some("Anna")), later)?;
                assert_eq!((renamed.name.as_deref(), renamed.updated_at), (Some("Anna"), later));
                let one = visitors::visitor_begin_session(c, &mine, &profile(None, None), noon())?;
                let other = visitors::visitor_begin_session(c, &mine, &profile(None, None), noon())?;
                assert_ne!(one.id, other.id);
                assert_eq!(visitors::visitor_get(c, &mine, &first.id)?, Some(renamed));
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn context_profile_is_deleted_with_its_session() {
    on_each_engine(async |store, _| {
        store
            .write(|c| {
                let mine = tenant_on(c, "mine")?;
                let ends = noon() + TimeDelta::minutes(15);
                let new = NewSession {
                    subject_kind: "visitor_context",
                    subject_id: "k",
                    credential_id: None,
                    refresh_hash: None,
                    expires_at: ends,
                };
                let family = identity::session_insert(c, Some(&mine), &new, noon())?;
                assert_eq!(family.credential_id, None);
                visitors::visitor_context_insert(c, &mine, &family.id, &profile(Some("x"), Some("Ann")))?;
                let kept = visitors::visitor_context_get(c, &mine, &family.id)?.expect("kept");
                assert_eq!((kept.external_id.as_deref(), kept.name.as_deref()), (Some("x"), Some("Ann")));
                assert!(!format!("{kept:?}").contains("Ann"), "debug output names nobody");
                identity::session_delete_expired(c, ends + TimeDelta::seconds(1), 500)?;
                assert_eq!(visitors::visitor_context_get(c, &mine, &family.id)?, None);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_each_expired_visitor_once_and_keeps_those_with_device() {
    on_each_engine(async |store, _| {
        let found = store
            .write(|c| {
                let (mine, yours) = (tenant_on(c, "mine")?, tenant_on(c, "yours")?);
                let mut over = Vec::new();
                for n in 0..10 {
                    // Both tenants have one with the same timestamp, and several pages have the same timestamp.
                    let seen = noon() + TimeDelta::seconds(n / 4);
                    let tenant = if n % 2 == 0 { &mine } else { &yours };
                    let visitor = visitors::visitor_begin_session(c, tenant, &profile(None, None), seen)?;
                    if n % 3 == 0 {
                        let mut device = new_device(&format!("d{n}"), &format!("h{n}"));
                        device.subject_id = visitor.id.to_string();
                        visitors::device_put(c, tenant, &device, noon())?;
                    } else {
                        over.push((tenant.clone(), visitor.id));
                    }
                }
                // Verified visitors and later ones do not expire.
                visitors::visitor_begin_session(c, &mine, &profile(Some("x"), None), noon())?;
                visitors::visitor_begin_session(
                    c,
                    &mine,
                    &profile(None, None),
                    noon() + TimeDelta::seconds(4),
                )?;
                over.sort();
                Ok::<_, StoreError>(over)
            })
            .await
            .unwrap();
        let end = noon() + TimeDelta::seconds(3);
        let (mut seen, mut looks, mut place) = (Vec::new(), 0, None);
        loop {
            let from = place.clone();
            let look = store.read(move |c| visitors::visitor_list_expired(c, end, from.as_ref(), 3)).await;
            let look = look.unwrap();
            seen.extend(look.found);
            looks += 1;
            place = look.next;
            if place.is_none() {
                break;
            }
        }
        seen.sort();
        assert_eq!((seen, looks), (found.clone(), 4), "ten, three at a time");

        // One gets a device between scan and deletion.
        let changed = found.clone();
        store
            .write(move |c| {
                let mut device = new_device("late", "late");
                device.subject_id = changed[0].1.to_string();
                visitors::device_put(c, &changed[0].0, &device, noon())?;
                let gone = visitors::visitor_delete_expired(c, end, &changed)?;
                assert_eq!(gone, changed.len() - 1);
                assert!(visitors::visitor_get(c, &changed[0].0, &changed[0].1)?.is_some());
                assert_eq!(visitors::visitor_delete_expired(c, end, &changed)?, 0);
                assert_eq!(visitors::visitor_list_expired(c, end, None, 100)?.found, []);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn device_and_token_have_one_row() {
    on_each_engine(async |store, _| {
        store
            .write(|c| {
                let mine = tenant_on(c, "mine")?;
                let later = noon() + TimeDelta::hours(1);
                let first = visitors::device_put(c, &mine, &new_device("d1", "h1"), noon())?;
                let again = visitors::device_put(c, &mine, &new_device("d1", "h2"), later)?;
                assert_eq!((&again.id, again.created_at, again.updated_at), (&first.id, noon(), later));
                let second = visitors::device_put(c, &mine, &new_device("d2", "h3"), noon())?;
                assert_ne!(second.id, first.id);
                // The first device registers with the token of the second: one row remains.
                let merged = visitors::device_put(c, &mine, &new_device("d1", "h3"), later)?;
                assert_eq!(merged.id, first.id);
                assert!(visitors::device_find(c, &mine, "fcm", Some("d2"), Some("h2"))?.is_empty());
                assert_eq!(visitors::device_list_of(c, &mine, "visitor", "v")?, vec![merged.clone()]);
                // A registration without a device id keeps the known one.
                let mut silent = new_device("d1", "h3");
                silent.device_id = None;
                assert_eq!(visitors::device_put(c, &mine, &silent, later)?.device_id.as_deref(), Some("d1"));
                assert!(visitors::device_disable(c, &mine, &merged.id, later)?);
                assert!(!visitors::device_disable(c, &mine, &merged.id, later)?);
                let off = visitors::device_find(c, &mine, "fcm", Some("d1"), None)?;
                assert_eq!((off[0].enabled, off[0].token.as_deref()), (false, None));
                assert!(visitors::device_list_of(c, &mine, "visitor", "v")?.is_empty());
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_domains_of_any_active_tenant() {
    on_each_engine(async |store, _| {
        store
            .write(|c| {
                let (mine, yours) = (tenant_on(c, "mine")?, tenant_on(c, "yours")?);
                for tenant in [&mine, &yours] {
                    tenants::tenant_domain_replace(c, tenant, &["example.com".to_owned()], noon())?;
                }
                let asked = ["example.com".to_owned(), "*.com".to_owned()];
                assert_eq!(tenants::tenant_domain_matching_any(c, &asked)?, ["example.com"]);
                for tenant in [&mine, &yours] {
                    let off = tenants::TenantChanges { is_active: Some(false), ..Default::default() };
                    tenants::tenant_update(c, tenant, &off, noon())?;
                }
                assert!(tenants::tenant_domain_matching_any(c, &asked)?.is_empty());
                assert!(tenants::tenant_domain_matching_any(c, &[])?.is_empty());
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}
