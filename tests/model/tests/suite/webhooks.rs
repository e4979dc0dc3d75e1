//! Subscribers on a world: deliveries meet the fates of calls, and histories compare them with the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use domain::webhooks::{Reach, Target};
use model::bench::{
    CallPlace, Deployment, Door, Executor, ExecutorOptions, Fate, FaultPlan, Manners, Registration,
    Subscriber,
};
use model::campaign::{HistoryOptions, HistoryOutcome, Script, run_history};
use model::random::Random;
use model::world::Profile;
use runtime::{Context, Function, FunctionError, Settings};
use serde_json::{Value, json};
use store::BoxFuture;
use webhook_delivery::{Post, Transport};

/// Sends one delivery each time that it is called.
struct Sender {
    door: Door,
    answers: Arc<Mutex<Vec<Result<u16, String>>>>,
}

impl Function for Sender {
    fn name(&self) -> &'static str {
        "sender"
    }

    fn handle<'a>(&'a self, _: Value, _: &'a Context) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let data = json!({ "webhook": "all", "after": "1", "to": "2-0", "events": [] });
            let post = Post {
                target: Target::parse("https://subscriber.example/in", Reach::Public).expect("an address"),
                headers: vec![("webhook-id", "all_1_2-0".to_owned())],
                body: json!({ "data": data }).to_string(),
            };
            let answer = self.door.post(post).await;
            self.answers.lock().expect("nothing panics").push(answer);
            Ok(json!({}))
        })
    }
}

/// Sends once with this fate to a subscriber of these manners. Returns what the sender was answered, and how many
/// deliveries arrived.
fn sent(fate: Fate, manners: Manners) -> (Vec<Result<u16, String>>, usize) {
    let subscriber = Subscriber::new(Random::new(1), manners);
    let answers: Arc<Mutex<Vec<Result<u16, String>>>> = Arc::default();
    let (at, told) = (subscriber.clone(), answers.clone());
    let settings = Settings::default();
    let registration = Registration {
        build: Arc::new(move |shared| {
            Arc::new(Sender { door: Door::new(shared, "sender", at.clone()), answers: told.clone() })
        }),
        ..Registration::new("sender", webhook_delivery::build, &settings, Vec::new())
    };
    let deployment = Deployment { functions: vec![registration], ..Deployment::default() };
    let first = CallPlace { function: "sender".to_owned(), number: 1 };
    let options = ExecutorOptions {
        seed: 1,
        profile: Profile::Fixed,
        faults: FaultPlan { exactly: BTreeMap::from([(first, fate)]), ..FaultPlan::default() },
        epoch: "2026-12-01T00:00:00Z".parse().expect("a time"),
        trace_lines: false,
    };
    let mut executor = Executor::new(&deployment, options).expect("a world");
    executor.call("sender", &json!({}));
    executor.run_until(50_000);
    (std::mem::take(&mut *answers.lock().expect("nothing panics")), subscriber.taken().len())
}

#[test]
fn a_delivery_meets_the_fates_of_calls() {
    let good = Manners::default();
    assert_eq!(sent(Fate::Works, good), (vec![Ok(200)], 1));
    assert_eq!(sent(Fate::Throttled, good), (vec![Ok(429)], 0));
    assert_eq!(sent(Fate::Fails, good), (vec![Err("no connection".to_owned())], 0));
    assert_eq!(sent(Fate::LosesAnswer, good), (vec![Err("no answer within 10 s".to_owned())], 1));
    assert_eq!(sent(Fate::StandsStillBefore { for_ms: 9_000 }, good), (vec![Ok(200)], 1));
}

#[test]
fn a_delivery_arrives_although_its_sender_dies() {
    let died = |fate| {
        let (answers, arrived) = sent(fate, Manners::default());
        // The invocation is tried again, as an asynchronous one is.
        assert_eq!(answers, Vec::<Result<u16, String>>::new());
        arrived
    };
    assert_eq!((died(Fate::KilledBefore), died(Fate::KilledAfter)), (0, 1));
}

#[test]
fn a_subscriber_that_is_down_takes_nothing() {
    let down = Manners { bad_max: 0, down_ms: Some([0, 40_000]) };
    let (answers, arrived) = sent(Fate::Works, down);
    assert_eq!((answers.len(), arrived), (1, 0));
    assert!(answers[0] == Ok(503) || answers[0].is_err(), "{answers:?}");
}

#[test]
fn some_histories_subscribe_and_their_subscriber_is_sent_what_the_log_tells() {
    let run = |seed| run_history(&Script::of(seed), &HistoryOptions::usual(true));
    let took = |outcome: &HistoryOutcome| {
        outcome.situations.counts().get("a subscriber took a delivery").copied().unwrap_or_default()
    };
    let outcome = (1..100).map(run).find(|outcome| took(outcome) > 10).expect("every tenth history");
    assert_eq!(outcome.findings, Vec::<String>::new());
    let mut script = Script::of(outcome.script.seed);
    script.without.subscribers = true;
    assert_eq!(took(&run_history(&script, &HistoryOptions::usual(true))), 0);
}
