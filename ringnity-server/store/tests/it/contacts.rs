//! Contacts: upsert, search, tags, totals.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use ringnity_store::{
    PageRequest, Store, StoreError, TenantId, constraint,
    contacts::{
        Contact, ContactChanges, ContactFilter, ContactInput, Upserted, contact_count, contact_delete,
        contact_get, contact_insert, contact_list, contact_update, contact_upsert,
    },
};

use crate::support::{noon, number, on_each_engine, tenant};

fn input(external_id: Option<&str>, name: &str, phone: &str) -> ContactInput {
    ContactInput {
        external_id: external_id.map(str::to_owned),
        name: name.to_owned(),
        phone: phone.to_owned(),
        ..ContactInput::default()
    }
}

async fn upsert(store: &Store, tenant: &TenantId, input: ContactInput) -> Upserted {
    let tenant = tenant.clone();
    store.write(move |c| contact_upsert(c, &tenant, &input, noon())).await.unwrap()
}

async fn list(store: &Store, tenant: &TenantId, search: &str, tags: &[&str]) -> (Vec<String>, i64) {
    let filter = ContactFilter {
        search: Some(search.to_owned()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let tenant = tenant.clone();
    let page = store.read(move |c| contact_list(c, &tenant, &filter, PageRequest::new(1, 50))).await.unwrap();
    let mut names: Vec<String> = page.rows.into_iter().map(|contact| contact.name).collect();
    names.sort();
    (names, page.total)
}

#[tokio::test(flavor = "multi_thread")]
async fn upsert_matches_external_id_then_phone() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let first = upsert(&store, &t, input(None, "Ann", "+1")).await;
        assert!(first.created);

        // The contact with this phone has no external id yet, so it gets this one.
        let claimed = upsert(&store, &t, input(Some("x1"), "Ann B", "+1")).await;
        assert!(!claimed.created);
        assert_eq!(claimed.contact.id, first.contact.id);
        assert_eq!(claimed.contact.external_id.as_deref(), Some("x1"));

        // The external id takes precedence over the phone.
        let moved = upsert(&store, &t, input(Some("x1"), "Ann C", "+2")).await;
        assert_eq!((moved.created, &moved.contact.id), (false, &first.contact.id));

        // Same phone, another external id: a different contact.
        let other = upsert(&store, &t, input(Some("x2"), "Bob", "+2")).await;
        assert!(other.created);

        // Without an external id, the oldest contact with the phone matches and keeps its external id.
        let by_phone = upsert(&store, &t, input(None, "Ann D", "+2")).await;
        assert_eq!(by_phone.contact.id, first.contact.id);
        assert_eq!(by_phone.contact.external_id.as_deref(), Some("x1"));
        let stored = store
            .read({
                let (t, id) = (t.clone(), first.contact.id.clone());
                move |c| contact_get(c, &t, &id)
            })
            .await
            .unwrap();
        assert_eq!(stored, Some(by_phone.contact));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upsert_keeps_fields_that_are_none() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let full = ContactInput {
            email: Some("ann@example.com".into()),
            company: Some("Acme".into()),
            tags: Some(vec!["vip".into()]),
            notes: Some("n".into()),
            source: Some("api".into()),
            ..input(Some("x"), "Ann", "+1")
        };
        upsert(&store, &t, full).await;
        let after = upsert(&store, &t, input(Some("x"), "Ann", "+1")).await.contact;
        assert_eq!(after.email.as_deref(), Some("ann@example.com"));
        assert_eq!(after.tags, ["vip"]);
        assert_eq!(after.source.as_deref(), Some("api"));
        let none = ContactInput { tags: Some(vec![]), ..input(Some("x"), "Ann", "+1") };
        assert!(upsert(&store, &t, none).await.contact.tags.is_empty());
        assert_eq!(list(&store, &t, "", &["vip"]).await.1, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_upserts_of_one_contact_insert_one_row() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        for by_phone in [false, true] {
            let mut writers = Vec::new();
            for n in 0..64 {
                let (store, t) = (store.clone(), t.clone());
                let external_id = if by_phone { None } else { Some("x") };
                let input = input(external_id, &format!("Ann {n}"), if by_phone { "+2" } else { "+1" });
                writers.push(tokio::spawn(async move { upsert(&store, &t, input).await.created }));
            }
            let mut created = 0;
            for writer in writers {
                created += u32::from(writer.await.unwrap());
            }
            assert_eq!(created, 1, "by phone: {by_phone}");
        }
        assert_eq!(store.read(|c| number(c, "SELECT count(*) AS n FROM contacts")).await.unwrap(), 2);
        assert_eq!(store.read(move |c| contact_count(c, &t)).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_is_literal_and_case_insensitive() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        for (name, phone) in
            [("100% Ärger", "+1"), ("100x", "+2"), ("a_b", "+3"), ("acb", "+4"), (r"c\d", "+5")]
        {
            upsert(&store, &t, input(None, name, phone)).await;
        }
        let mail = ContactInput {
            email: Some("Zoe@Example.com".into()),
            company: Some("Größe GmbH".into()),
            ..input(None, "Zoe", "+6")
        };
        upsert(&store, &t, mail).await;
        for (search, found) in [
            ("100%", vec!["100% Ärger"]),
            ("%", vec!["100% Ärger"]),
            ("a_b", vec!["a_b"]),
            ("_", vec!["a_b"]),
            (r"\", vec![r"c\d"]),
            ("ÄRGER", vec!["100% Ärger"]),
            ("gRÖSSE", vec![]),
            ("GRÖßE", vec!["Zoe"]),
            ("zoe@example", vec!["Zoe"]),
            (" +4 ", vec!["acb"]),
            ("'; --", vec![]),
        ] {
            let total = found.len() as i64;
            let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            assert_eq!(list(&store, &t, search, &[]).await, (found, total), "{search}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_filter_requires_all_tags() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        for (name, tags) in [("Ann", vec!["a", "b", "a"]), ("Bob", vec!["b"]), ("Cem", vec!["a", "b", "c"])] {
            let tags = Some(tags.into_iter().map(str::to_owned).collect());
            upsert(&store, &t, ContactInput { tags, ..input(None, name, name) }).await;
        }
        let names = async |tags: &[&str]| list(&store, &t, "", tags).await.0;
        assert_eq!(names(&[]).await, ["Ann", "Bob", "Cem"]);
        assert_eq!(names(&["b"]).await, ["Ann", "Bob", "Cem"]);
        assert_eq!(names(&["a", "b"]).await, ["Ann", "Cem"]);
        assert_eq!(names(&["a", "c"]).await, ["Cem"]);
        assert!(names(&["a", "x"]).await.is_empty());
        assert_eq!(list(&store, &t, "an", &["a"]).await, (vec!["Ann".to_owned()], 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_filter_with_hundreds_of_tags_is_fast() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        store
            .write({
                let t = t.clone();
                move |c| {
                    contact_insert(
                        c,
                        &t,
                        &ContactInput { tags: Some(vec!["a".into()]), ..input(None, "n", "+1") },
                        noon(),
                    )
                }
            })
            .await
            .unwrap();
        let begun = Instant::now();
        let many: Vec<String> = (0..500).map(|n| format!("t{n}")).collect();
        for (tags, total) in [(vec!["a".to_owned(); 500], 1), (many, 0)] {
            let (t, filter) = (t.clone(), ContactFilter { tags, ..ContactFilter::default() });
            let page = store.read(move |c| contact_list(c, &t, &filter, PageRequest::new(1, 10))).await;
            assert_eq!(page.unwrap().total, total);
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_in_creation_order_without_overlap() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let made: Vec<Contact> = store
            .write({
                let t = t.clone();
                move |c| {
                    // Two per timestamp, and later requests waited less.
                    (0..25)
                        .map(|n| {
                            let now = noon() - TimeDelta::milliseconds(n / 2);
                            contact_insert(c, &t, &input(None, &format!("n{n}"), "+1"), now)
                        })
                        .collect::<Result<_, StoreError>>()
                }
            })
            .await
            .unwrap();
        let mut seen = Vec::new();
        for number in 1..=4 {
            let (t, request) = (t.clone(), PageRequest::new(number, 10));
            let page =
                store.read(move |c| contact_list(c, &t, &ContactFilter::default(), request)).await.unwrap();
            assert_eq!(page.total, 25);
            assert_eq!(page.has_more(request), number < 3);
            seen.extend(page.rows);
        }
        assert_eq!(seen, made);

        // All have this phone: the oldest is listed first.
        assert_eq!(upsert(&store, &t, input(None, "n0", "+1")).await.contact.id, made[0].id);

        let gone = made[3].id.clone();
        let twice = store
            .write({
                let (t, gone) = (t.clone(), gone.clone());
                move |c| Ok::<_, StoreError>((contact_delete(c, &t, &gone)?, contact_delete(c, &t, &gone)?))
            })
            .await
            .unwrap();
        assert_eq!(twice, (true, false));
        assert_eq!(
            store
                .read({
                    let t = t.clone();
                    move |c| contact_count(c, &t)
                })
                .await
                .unwrap(),
            24
        );
        assert_eq!(store.read(|c| number(c, "SELECT count(*) AS n FROM contacts")).await.unwrap(), 24);
        let far = PageRequest::new(i64::MAX, i64::MAX);
        assert!(
            store
                .read(move |c| contact_list(c, &t, &ContactFilter::default(), far))
                .await
                .unwrap()
                .rows
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn update_sets_clears_and_keeps_fields() {
    on_each_engine(async |store, _| {
        let t = tenant(&store, "a").await;
        let full = ContactInput {
            email: Some("e@x.y".into()),
            company: Some("C".into()),
            notes: Some("n".into()),
            tags: Some(vec!["a".into(), "b".into()]),
            ..input(Some("x"), "Ann", "+1")
        };
        let before = upsert(&store, &t, full).await.contact;
        upsert(&store, &t, input(Some("taken"), "Bob", "+2")).await;
        let change = |changes: ContactChanges| {
            let (t, id) = (t.clone(), before.id.clone());
            store.write(move |c| contact_update(c, &t, &id, &changes, noon() + TimeDelta::seconds(1)))
        };
        let after = change(ContactChanges {
            email: Some(None),
            company: Some(Some("D".into())),
            tags: Some(vec!["b".into(), "c".into()]),
            ..ContactChanges::default()
        })
        .await
        .unwrap()
        .unwrap();
        assert_eq!(after.email, None);
        assert_eq!(after.company.as_deref(), Some("D"));
        assert_eq!(after.notes.as_deref(), Some("n"));
        assert_eq!(after.tags, ["b", "c"]);
        assert_eq!(after.created_at, before.created_at);
        assert!(after.updated_at > before.updated_at);
        assert_eq!(list(&store, &t, "", &["a"]).await.1, 0);
        assert_eq!(list(&store, &t, "e@x.y", &[]).await.1, 0);
        let taken =
            change(ContactChanges { external_id: Some(Some("taken".into())), ..ContactChanges::default() });
        assert!(taken.await.unwrap_err().is_conflict_on(constraint::CONTACT_EXTERNAL_ID));
        let stored = store
            .read({
                let (t, id) = (t.clone(), before.id.clone());
                move |c| contact_get(c, &t, &id)
            })
            .await
            .unwrap();
        assert_eq!(stored, Some(after));
    })
    .await;
}
