//! Entry tokens and external identities of owners.

use chrono::TimeDelta;
use ringnity_store::{
    StoreError, constraint,
    identity::{self, NewSession},
};

use crate::support::{noon, on_each_engine, tenant_on};

#[tokio::test(flavor = "multi_thread")]
async fn entry_token_works_once_and_expires() {
    on_each_engine(async |store, _| {
        let minute = TimeDelta::seconds(60);
        let made = store
            .write(move |c| {
                let t = tenant_on(c, "a")?;
                let owner = identity::owner_insert(c, &t, "a@b.c", None, None, noon())?;
                let new = NewSession {
                    subject_kind: "owner",
                    subject_id: owner.id.as_str(),
                    credential_id: None,
                    refresh_hash: Some("t"),
                    expires_at: noon() + minute * 9,
                };
                let session = identity::session_insert(c, Some(&t), &new, noon())?;
                let insert = |c: &mut _, hash| {
                    identity::entry_token_insert(c, &t, &owner.id, &session.id, hash, noon() + minute, noon())
                };
                insert(c, "late")?;
                insert(c, "once")
            })
            .await
            .unwrap();
        let mut tries = Vec::new();
        for _ in 0..32 {
            let store = store.clone();
            tries.push(tokio::spawn(async move {
                store.write(|c| identity::entry_token_use(c, "once", noon())).await.unwrap()
            }));
        }
        let mut got = Vec::new();
        for one in tries {
            got.extend(one.await.unwrap());
        }
        assert_eq!(got, [made]);
        let late = store.write(move |c| identity::entry_token_use(c, "late", noon() + minute)).await;
        assert_eq!(late.unwrap(), None);
        let unknown = store.write(|c| identity::entry_token_use(c, "nobody's", noon())).await;
        assert_eq!(unknown.unwrap(), None);
        let deleted =
            store.write(move |c| identity::entry_token_delete_expired(c, noon() + minute * 2, 500)).await;
        assert_eq!(deleted.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_has_one_owner_and_one_per_issuer() {
    on_each_engine(async |store, _| {
        let (t, one) = store
            .write(|c| {
                let t = tenant_on(c, "a")?;
                let one = identity::owner_insert(c, &t, "one@b.c", None, None, noon())?;
                identity::owner_identity_insert(c, &t, &one.id, "google", "1", "one@b.c", noon())?;
                identity::owner_identity_record_login(c, "google", "1", noon())?;
                Ok::<_, StoreError>((t, one.id))
            })
            .await
            .unwrap();
        let found = store.read(|c| identity::owner_identity_get(c, "google", "1")).await.unwrap().unwrap();
        assert_eq!((&found.owner_id, found.last_login_at), (&one, Some(noon())));
        let other = store.read(|c| identity::owner_identity_get(c, "elsewhere", "1")).await.unwrap();
        assert_eq!(other, None);
        let second = store
            .write(move |c| {
                identity::owner_identity_insert(c, &t, &one, "google", "2", "one@b.c", noon()).map(drop)
            })
            .await
            .unwrap_err();
        assert!(second.is_conflict_on(constraint::OWNER_IDENTITY_ISSUER), "{second:?}");
    })
    .await;
}
