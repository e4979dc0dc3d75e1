//! Functions on a world: the seam's tables and queues, faults, zombies, and the same seed twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::bench::{
    CallPlace, Deployment, Executor, ExecutorOptions, Fate, FaultPlan, FaultRates, QueueOptions,
    Registration, Trigger,
};
use model::world::Profile;
use runtime::{Context, Function, FunctionError, Message, Queue, Queues};
use serde_json::{Value, json};
use store::{BoxFuture, Condition, Engine, Item, Key, Table, Write, Written};

/// Keeps each message once, under its body, and waits a little before it does.
struct Keeper;

impl Function for Keeper {
    fn name(&self) -> &'static str {
        "keeper"
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            for record in event["Records"].as_array().into_iter().flatten() {
                let body = record["body"].as_str().expect("a message has a body");
                assert_ne!(body, "panic", "a message that nothing can deal with");
                context.clock.sleep(Duration::from_millis(3)).await;
                let _ = keep(&*context.engine, body).await?;
            }
            Ok(json!({ "batchItemFailures": [] }))
        })
    }
}

async fn keep(engine: &dyn Engine, body: &str) -> Result<Written, FunctionError> {
    let write = Write::put(Item::new(key(body), 1, body.as_bytes().to_vec()), Condition::Absent);
    engine.write(write).await.map_err(|error| FunctionError { message: error.to_string() })
}

fn key(body: &str) -> Key {
    Key::new(Table::Ledger, "KEPT", body)
}

fn deployment() -> Deployment {
    let attributes =
        |visibility: &str| BTreeMap::from([("VisibilityTimeout".to_owned(), visibility.to_owned())]);
    let queue = |name: &str, queue| QueueOptions {
        name: name.to_owned(),
        queue: Some(queue),
        attributes: attributes("6"),
    };
    let reports = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    Deployment {
        queues: vec![queue("Decisions.fifo", Queue::Decisions), queue("Talent", Queue::Talent)],
        functions: vec![Registration {
            name: "keeper".to_owned(),
            build: Arc::new(|_| Arc::new(Keeper)),
            timeout_ms: 5_000,
            reserved_concurrency: None,
            async_retries: 2,
            clock_skews_ms: vec![-40, 25],
            triggers: vec![
                Trigger::queue("Decisions.fifo", 10, &reports),
                Trigger::queue("Talent", 10, &reports),
            ],
        }],
        ..Deployment::default()
    }
}

fn options(seed: u64, profile: Profile, faults: FaultPlan) -> ExecutorOptions {
    let epoch = "2026-12-01T00:00:00Z".parse().expect("a time");
    ExecutorOptions { seed, profile, faults, epoch, trace_lines: true }
}

const MEASURED: Profile = Profile::Measured { percent: 100 };

fn message(number: u32) -> Message {
    let group = Some(("one".to_owned(), format!("id-{number}")));
    Message { body: format!("decision-{number:03}"), group, delay_s: None }
}

fn send_all(executor: &mut Executor) {
    let queues = executor.queues();
    executor.run_client(async move {
        queues.send(Queue::Decisions, (0..60).map(message).collect()).await.expect("the queue takes them");
        let talent =
            (0..60).map(|number| Message { body: format!("talent-{number:03}"), group: None, delay_s: None });
        queues.send(Queue::Talent, talent.collect()).await.expect("the queue takes them");
    });
}

fn kept(executor: &mut Executor) -> usize {
    executor.with_world(|world| world.database.tables()["Ledger"].count())
}

fn usual_faults() -> FaultPlan {
    let rates = FaultRates::usual();
    let rates = FaultRates {
        fails: 30_000,
        loses_answer: 30_000,
        killed: 30_000,
        hangs: 10_000,
        stands_still: 30_000,
        ..rates
    };
    FaultPlan { rates, ends_ms: 20_000, ..FaultPlan::default() }
}

#[test]
fn the_tables_of_a_world_do_what_every_engine_does() {
    for profile in [Profile::Fixed, MEASURED] {
        let mut executor = Executor::new(&Deployment::default(), options(1, profile, FaultPlan::default()))
            .expect("a world");
        let engine: Arc<dyn Engine> = Arc::new(executor.engine());
        executor.run_client(store::engine_tests::run(engine));
    }
}

#[test]
fn every_message_is_dealt_with_in_spite_of_faults() {
    let mut happened = 0;
    for seed in 0..20 {
        let mut executor =
            Executor::new(&deployment(), options(seed, MEASURED, usual_faults())).expect("a world");
        send_all(&mut executor);
        executor.run_until(120_000);
        assert_eq!(kept(&mut executor), 120, "seed {seed}: {:?}", executor.faults());
        assert!(executor.findings().is_empty());
        happened += executor.faults().len();
    }
    assert!(happened > 100, "{happened} faults are too few to say anything");
}

#[test]
fn the_same_seed_gives_the_same_trace_line_by_line() {
    let run = |seed| {
        let mut executor =
            Executor::new(&deployment(), options(seed, MEASURED, usual_faults())).expect("a world");
        send_all(&mut executor);
        executor.run_until(60_000);
        (executor.trace_hash(), executor.trace_lines())
    };
    let (first_hash, first) = run(3);
    let (second_hash, second) = run(3);
    for (position, (first, second)) in first.iter().zip(&second).enumerate() {
        assert_eq!(first, second, "line {position}");
    }
    assert_eq!((first_hash, first.len()), (second_hash, second.len()));
    assert!(first.len() > 500);
    assert_ne!(run(4).0, first_hash);
}

fn only(fate: Fate) -> FaultPlan {
    let first = CallPlace { function: "keeper".to_owned(), number: 1 };
    FaultPlan { exactly: BTreeMap::from([(first, fate)]), ..FaultPlan::default() }
}

/// Returns how long one message took to be kept when its first write met this fate, and how many invocations
/// there were.
fn standstill(fate: Fate) -> (u64, u64) {
    let mut executor = Executor::new(&deployment(), options(1, Profile::Fixed, only(fate))).expect("a world");
    let queues = executor.queues();
    executor
        .run_client(async move { queues.send(Queue::Decisions, vec![message(0)]).await })
        .expect("it is sent");
    while kept(&mut executor) == 0 {
        assert!(executor.step(100_000), "nothing was kept");
    }
    let kept_ms = executor.now_ms();
    executor.run_until(60_000);
    assert_eq!(executor.faults().len(), usize::from(fate != Fate::Works));
    (kept_ms, executor.invocations())
}

#[test]
fn each_fate_delays_a_message_as_the_service_would() {
    // Sent at 5, polled at 15, begun at 120 in a cold environment, written at 123 and 4 ms later in effect.
    assert_eq!(standstill(Fate::Works), (127, 1));
    let (fails_ms, once) = standstill(Fate::Fails);
    assert!((130..160).contains(&fails_ms) && once == 1, "{fails_ms}");
    assert_eq!(standstill(Fate::LosesAnswer), (127, 1));
    // Killed or hanging, the message comes again after its visibility timeout of 6 s.
    assert_eq!(standstill(Fate::KilledAfter), (127, 2));
    let killed = standstill(Fate::KilledBefore);
    assert_eq!(killed, (15 + 6_000 + 10 + 105 + 7, 2));
    assert_eq!(standstill(Fate::Hangs), killed);
}

#[test]
fn an_environment_that_stood_still_writes_after_its_time_was_over() {
    let stands_still = Fate::StandsStillBefore { for_ms: 20_000 };
    let mut executor =
        Executor::new(&deployment(), options(1, Profile::Fixed, only(stands_still))).expect("a world");
    let queues = executor.queues();
    executor
        .run_client(async move { queues.send(Queue::Decisions, vec![message(0)]).await })
        .expect("it is sent");
    executor.run_until(60_000);
    let writes: Vec<String> =
        executor.trace_lines().into_iter().filter(|line| line.contains("Evaluate")).collect();
    // The send, the write of the second invocation, and the zombie's write at 123 + 20,000.
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert!(writes[1].starts_with("6137 ") && writes[2].starts_with("20127 "), "{writes:?}");
    assert_eq!(executor.invocations(), 2);
}

#[test]
fn a_panic_is_a_finding() {
    let mut executor =
        Executor::new(&deployment(), options(1, Profile::Fixed, FaultPlan::default())).expect("a world");
    let queues = executor.queues();
    let message = Message { body: "panic".to_owned(), group: None, delay_s: None };
    executor.run_client(async move { queues.send(Queue::Talent, vec![message]).await }).expect("it is sent");
    executor.run_until(1_000);
    assert_eq!(executor.findings().len(), 1);
    assert!(executor.findings()[0].message.contains("nothing can deal with"));
}
