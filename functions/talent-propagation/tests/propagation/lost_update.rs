//! The race that the marker exists for: a change arrives while a recomputation is under way.

use std::collections::HashMap;
use std::sync::Mutex;

use ledger::rules::AccountSequence;
use ledger::store::Store;
use serde_json::json;

use crate::faults::{Before, with_interceptor};
use crate::support::{Ledger, Source, kafka_event};

const TRUTH: u64 = 5;

/// A forest of `C0` to `C3`, whose `C1` and above have still to hear of one referral below `C3`.
async fn forest(source: &mut Source) -> Ledger {
    let ledger = Ledger::start().await;
    ledger.feed(&source.chain(3), 1000).await;
    ledger.sweep().await;
    ledger.feed(&[source.referral("FIRST", Some("C3"))], 1).await;
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_arrives_during_a_climb_is_carried_up_by_that_climb() {
    let mut source = Source::default();
    let ledger = forest(&mut source).await;
    let ingest = ledger.functions.ingest.clone();
    let second = kafka_event(&[source.referral("SECOND", Some("C3"))]);
    let interleaved = Before::first_transaction(async move {
        ingest.invoke(second).await.expect("an answer");
    });
    let functions = ledger.functions_with(with_interceptor(&ledger.clients.dynamodb, interleaved));

    // One message, delivered once; the second change sends none, because the mark is still raised.
    let message = json!({ "messageId": "1", "body": json!({ "account": "C2", "tree": "C0" }).to_string() });
    let answer = functions.propagator.invoke(json!({ "Records": [message] })).await.expect("an answer");
    assert_eq!(answer, json!({ "batchItemFailures": [] }));

    assert_eq!(ledger.numbers("C0").await.1, TRUTH);
    assert!(ledger.store.raised_talent_marks(10).await.expect("readable").is_empty());
}

/// The same interleaving with the lock of the original design in place of the mark: whoever finds it
/// taken skips. This is what the test above would catch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_skips_when_taken_loses_the_same_change() {
    let mut source = Source::default();
    let ledger = forest(&mut source).await;
    let top: AccountSequence = "C0".parse().expect("an account");
    let second = kafka_event(&[source.referral("SECOND", Some("C3"))]);

    let locked = SkippingLock::default();
    locked
        .update(&ledger.store, &top, async || {
            ledger.functions.ingest.invoke(second.clone()).await.expect("an answer");
            // The second change's own update, which the design relies on.
            let updated = locked.update(&ledger.store, &top, async || {}).await;
            assert!(!updated, "it is skipped");
        })
        .await;
    assert_eq!(locked.count_of(&top), Some(TRUTH - 1), "and nobody ever sees the second change");
}

/// Two work from the same mark. One is done and takes it away, a change raises it anew, and only then
/// does the other, who is done with what there was before, come to take it away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_was_taken_away_and_raised_anew_is_not_the_one_that_was_read() {
    let mut source = Source::default();
    let ledger = forest(&mut source).await;
    let message = json!({ "messageId": "1", "body": json!({ "account": "C2", "tree": "C0" }).to_string() });
    let event = json!({ "Records": [message] });
    let (faster, ingest) = (ledger.functions.propagator.clone(), ledger.functions.ingest.clone());
    let (again, second) = (event.clone(), kafka_event(&[source.referral("SECOND", Some("C3"))]));
    let interleaved = Before::first_deletion(async move {
        faster.invoke(again).await.expect("an answer");
        ingest.invoke(second).await.expect("an answer");
    });
    let slower = ledger.functions_with(with_interceptor(&ledger.clients.dynamodb, interleaved));
    slower.propagator.invoke(event.clone()).await.expect("an answer");
    // The message of the second change.
    ledger.functions.propagator.invoke(event).await.expect("an answer");

    assert_eq!(ledger.numbers("C0").await.1, TRUTH);
    assert!(ledger.store.raised_talent_marks(10).await.expect("readable").is_empty());
}

/// The original design: an update recomputes from below under a lock, and is skipped if it is taken.
#[derive(Default)]
struct SkippingLock {
    taken: Mutex<Option<AccountSequence>>,
    counts: Mutex<HashMap<AccountSequence, u64>>,
}

impl SkippingLock {
    /// Updates an account's count; `meanwhile` happens after it was computed. Whether it did.
    async fn update(&self, store: &Store, account: &AccountSequence, meanwhile: impl AsyncFnOnce()) -> bool {
        {
            let mut taken = self.taken.lock().expect("not poisoned");
            if taken.is_some() {
                return false;
            }
            *taken = Some(account.clone());
        }
        let mut count = 0;
        let mut level = vec![account.clone()];
        while let Some(above) = level.pop() {
            let children = store.direct_referrals(&above, None, 100).await.expect("readable");
            count += children.len() as u64;
            level.extend(children);
        }
        meanwhile().await;
        self.counts.lock().expect("not poisoned").insert(account.clone(), count);
        *self.taken.lock().expect("not poisoned") = None;
        true
    }

    fn count_of(&self, account: &AccountSequence) -> Option<u64> {
        self.counts.lock().expect("not poisoned").get(account).copied()
    }
}
