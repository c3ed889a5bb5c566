//! One walk through the store on each engine.

use chrono::Utc;
use ringnity_store::{testing::*, *};

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    for engine in engines() {
        let db = TestDatabase::new(engine);
        let store = Store::open(db.config()).await.unwrap();
        let now = Utc::now();
        let t = store
            .write(move |c| {
                tenants::tenant_insert(
                    c,
                    &tenants::NewTenant::new("demo", "pk", "a@b.c", PlanId::from("pln_free")),
                    now,
                )
            })
            .await
            .unwrap();
        let (id, tt) = (t.id.clone(), t.clone());
        let back = store.read(move |c| tenants::tenant_get(c, &id)).await.unwrap().unwrap();
        assert_eq!(back, t);
        let e = store
            .write(move |c| {
                tenants::tenant_insert(
                    c,
                    &tenants::NewTenant::new("demo", "pk2", "a@b.c", PlanId::from("pln_free")),
                    now,
                )
            })
            .await
            .unwrap_err();
        assert!(e.is_conflict_on(constraint::TENANT_SLUG), "{e:?}");
        let id = tt.id.clone();
        let u = store
            .write(move |c| {
                let u = contacts::contact_upsert(
                    c,
                    &id,
                    &contacts::ContactInput {
                        external_id: Some("x".into()),
                        name: "Ann".into(),
                        phone: "1".into(),
                        tags: Some(vec!["a".into(), "b".into(), "a".into()]),
                        ..Default::default()
                    },
                    now,
                )?;
                events::event_append(c, &id, "contact.created", "{}", now)?;
                Ok::<_, StoreError>(u)
            })
            .await
            .unwrap();
        assert!(u.created);
        let id = tt.id.clone();
        let p = store
            .read(move |c| {
                contacts::contact_list(
                    c,
                    &id,
                    &contacts::ContactFilter {
                        search: Some("AN".into()),
                        tags: vec!["a".into(), "b".into()],
                    },
                    PageRequest::new(1, 20),
                )
            })
            .await
            .unwrap();
        assert_eq!(p.rows, vec![u.contact]);
        assert_eq!(p.total, 1);
        store.close().await;
    }
}
