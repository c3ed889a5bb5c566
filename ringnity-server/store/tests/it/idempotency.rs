//! Idempotency keys, rate limit buckets and sign-in addresses.

use chrono::TimeDelta;
use ringnity_store::idempotency::{
    idempotency_claim, idempotency_complete, idempotency_delete_expired, idempotency_release,
};
use ringnity_store::rate_limits::{self, Gcra};
use ringnity_store::{StoreError, identity};

use crate::support::{noon, on_each_engine};

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_is_claimed_once_until_it_expires() {
    on_each_engine(async |store, _| {
        store
            .write(|c| {
                let (now, day) = (noon(), noon() + TimeDelta::days(1));
                assert_eq!(idempotency_claim(c, "a", "h1", None, day, now)?, None);
                assert!(idempotency_complete(c, "a", None, "sealed")?);
                assert!(!idempotency_complete(c, "a", None, "other")?, "an answer stays");
                let found = idempotency_claim(c, "a", "h2", None, day, now)?.expect("an earlier one");
                assert_eq!((found.request_hash.as_str(), found.answer.as_deref()), ("h1", Some("sealed")));
                assert_eq!(idempotency_claim(c, "b", "h2", None, day, now)?, None);
                // Expired: counts as absent even before it is deleted.
                assert_eq!(idempotency_claim(c, "a", "h2", None, day + TimeDelta::days(1), day)?, None);
                assert_eq!(idempotency_delete_expired(c, day, 10)?, 1);
                assert_eq!(idempotency_delete_expired(c, day, 10)?, 0);
                assert_eq!(idempotency_delete_expired(c, day + TimeDelta::days(1), 0)?, 0);

                // A request that works outside the transaction.
                let soon = now + TimeDelta::minutes(2);
                assert_eq!(idempotency_claim(c, "c", "h", Some(soon), day, now)?, None);
                let running = idempotency_claim(c, "c", "h", Some(soon), day, now)?.expect("runs");
                assert_eq!((running.answer, running.lapses_at), (None, Some(soon)));
                let later = soon + TimeDelta::minutes(2);
                assert_eq!(idempotency_claim(c, "c", "h", Some(later), day, soon)?, None, "it has lapsed");
                assert!(!idempotency_complete(c, "c", Some(soon), "late")?);
                idempotency_release(c, "c", soon)?;
                assert!(idempotency_complete(c, "c", Some(later), "sealed")?);
                idempotency_release(c, "c", later)?;
                assert!(idempotency_claim(c, "c", "h", None, day, later)?.is_some(), "an answer stays");
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_claims_of_a_key_have_one_winner() {
    on_each_engine(async |store, _| {
        let claims = (0..32).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let answer = number.to_string();
                store
                    .write(move |c| {
                        let day = noon() + TimeDelta::days(1);
                        if let Some(earlier) = idempotency_claim(c, "a", "h", None, day, noon())? {
                            return Ok::<_, StoreError>(earlier.answer);
                        }
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        idempotency_complete(c, "a", None, &answer)?;
                        Ok(Some(answer.clone()))
                    })
                    .await
            })
        });
        let mut answers = Vec::new();
        for claim in claims.collect::<Vec<_>>() {
            answers.push(claim.await.unwrap().unwrap());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_taken_once() {
    on_each_engine(async |store, _| {
        let rate = Gcra::new(20, TimeDelta::minutes(1));
        let takers = (0..30).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(move |c| rate_limits::rate_bucket_take(c, "a", rate, 1, noon())).await
            })
        });
        let mut taken = 0;
        for taker in takers.collect::<Vec<_>>() {
            taken += taker.await.unwrap().unwrap().tokens;
        }
        assert_eq!(taken, 20);
        store
            .write(move |c| {
                let both = [("a".to_owned(), rate), ("b".to_owned(), rate)];
                assert_eq!(rate_limits::rate_bucket_take_each(c, &both, noon())?, Err(TimeDelta::seconds(3)));
                assert_eq!(rate_limits::rate_bucket_tat(c, "b")?, None, "of each, or of none");
                rate_limits::rate_bucket_refund(c, "a", rate)?;
                assert_eq!(rate_limits::rate_bucket_take_each(c, &both, noon())?, Ok(()));
                let full = noon() + TimeDelta::minutes(1);
                assert_eq!(rate_limits::rate_bucket_delete_full(c, full - TimeDelta::seconds(30), 10)?, 1);
                assert_eq!(rate_limits::rate_bucket_delete_full(c, full, 10)?, 1);

                identity::sign_in_address_put(c, "p", full)?;
                assert!(identity::sign_in_address_is_known(c, "p", noon())?);
                assert!(!identity::sign_in_address_is_known(c, "p", full)?);
                assert_eq!(identity::sign_in_address_delete_expired(c, full, 10)?, 1);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    })
    .await;
}
