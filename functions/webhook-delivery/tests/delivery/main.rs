//! What subscribers get, over tables in memory and a transport that keeps what is sent.

mod http;
mod stage;

use domain::log::{DeliveryId, Entry, EventPlace, EventType, WebhookChange};
use domain::webhooks::SigningSecret;
use serde_json::{Value, json};

use stage::{Stage, held, released, set};

const HOUR_S: i64 = 3_600;

#[tokio::test]
async fn events_come_once_in_the_order_of_the_log_and_signed_by_the_convention() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1), released(1)]).await;
    stage.page(vec![Entry::OrderSeen { order: stage::order(2) }, held(2)]).await;
    stage.run().await;
    stage.run().await;
    let sent = stage.take_sent();
    assert_eq!(sent.len(), 1, "what a run finds comes in one message, and once");
    assert_eq!(sent[0].ids(), ["2-0", "2-1", "3-1"]);
    let body = sent[0].body();
    assert_eq!(body["type"], "contribution.events");
    assert_eq!(body["data"]["after"], "1-0");
    assert_eq!(body["data"]["to"], "3-1");
    assert_eq!(sent[0].header("webhook-id"), "mining_1-0_3-1");
    let timestamp: i64 = sent[0].header("webhook-timestamp").parse().expect("seconds");
    let signature = stage.secret("mining", "1-0", 1).sign("mining_1-0_3-1", timestamp, &sent[0].0.body);
    assert_eq!(sent[0].header("webhook-signature"), signature);
    stage.page(vec![held(3)]).await;
    stage.run().await;
    assert_eq!(stage.take_sent()[0].ids(), ["4-0"]);
}

#[tokio::test]
async fn a_subscriber_that_fails_keeps_no_other_back() {
    let mut stage = Stage::new();
    stage.ask(set("broken", &[])).await;
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.answer_of("broken", Err("no connection".to_owned()));
    stage.run().await;
    stage.page(vec![held(2)]).await;
    stage.run().await;
    let of = |sent: &[stage::Sent], name: &str| -> Vec<String> {
        sent.iter().filter(|sent| sent.is_of(name)).flat_map(stage::Sent::ids).collect()
    };
    let sent = stage.take_sent();
    assert_eq!(of(&sent, "mining"), ["3-0", "4-0"]);
    assert_eq!(of(&sent, "broken"), ["3-0"]);
}

#[tokio::test]
async fn a_delivery_that_failed_comes_again_as_it_was_and_later_events_wait_for_it() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.answer_of("mining", Ok(500));
    stage.run().await;
    stage.page(vec![held(2)]).await;
    stage.pass_s(29);
    stage.run().await;
    let first = stage.take_sent();
    assert_eq!(first.len(), 1, "it waits for half a minute");
    stage.pass_s(1);
    stage.run().await;
    stage.pass_s(59);
    stage.run().await;
    assert_eq!(stage.take_sent().len(), 1, "and then for twice as long");
    stage.answer_of("mining", Ok(204));
    stage.pass_s(1);
    stage.run().await;
    let sent = stage.take_sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header("webhook-id"), first[0].header("webhook-id"));
    assert_eq!(sent[0].0.body, first[0].0.body);
    assert_ne!(sent[0].header("webhook-timestamp"), first[0].header("webhook-timestamp"));
    assert_eq!(sent[1].ids(), ["3-0"]);
    let attempts: Vec<(u32, bool)> = stage
        .attempts("mining")
        .await
        .iter()
        .map(|attempt| (attempt.number, attempt.outcome.is_delivered()))
        .collect();
    assert_eq!(attempts, [(1, true), (3, true), (2, false), (1, false)]);
}

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.ask(("mining", WebhookChange::RotateSecret)).await;
    stage.page(vec![held(1)]).await;
    stage.run().await;
    let sent = stage.take_sent();
    let timestamp: i64 = sent[0].header("webhook-timestamp").parse().expect("seconds");
    let id = sent[0].header("webhook-id");
    let sign = |secret: SigningSecret| secret.sign(&id, timestamp, &sent[0].0.body);
    let (first, second) = (stage.secret("mining", "1-0", 1), stage.secret("mining", "1-0", 2));
    assert_eq!(sent[0].header("webhook-signature"), format!("{} {}", sign(second), sign(first)));
    stage.pass_s(25 * HOUR_S);
    stage.page(vec![held(2)]).await;
    stage.run().await;
    let signature = stage.take_sent()[0].header("webhook-signature");
    assert!(!signature.contains(' '), "{signature}");
}

#[tokio::test]
async fn a_subscription_that_fails_for_three_days_is_stopped_until_an_operator_resumes_it() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.answer_of("mining", Ok(503));
    let mut hours = 0;
    while stage.state("mining").await.is_none_or(|state| state.stopped_ms.is_none()) {
        stage.run().await;
        stage.pass_s(HOUR_S);
        hours += 1;
        assert!(hours < 100, "it is stopped some time");
    }
    assert!((72..=75).contains(&hours), "{hours}");
    let (_, metrics) = runtime::telemetry::keeping_metrics(stage.run()).await;
    assert_eq!(metrics[0]["WebhooksStopped"], 1.0, "an alarm watches it");
    stage.take_sent();
    stage.answer_of("mining", Ok(200));
    stage.page(vec![held(2)]).await;
    stage.run().await;
    assert!(stage.take_sent().is_empty());
    stage.ask(("mining", WebhookChange::Resume { after: None })).await;
    stage.run().await;
    let ids = stage.take_ids();
    assert_eq!(ids, ["2-0", "3-0"], "nothing was lost meanwhile");
}

#[tokio::test]
async fn a_subscriber_that_is_gone_is_sent_nothing_more() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.answer_of("mining", Ok(410));
    stage.run().await;
    stage.pass_s(HOUR_S);
    stage.run().await;
    assert_eq!(stage.take_sent().len(), 1);
    assert!(stage.state("mining").await.expect("served").stopped_ms.is_some());
}

#[tokio::test]
async fn a_delivery_is_sent_once_more_as_it_was_when_an_operator_asks() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1), held(2)]).await;
    stage.run().await;
    let first = stage.take_sent();
    let delivery: DeliveryId = first[0].header("webhook-id").parse().expect("an id");
    stage.ask(("mining", WebhookChange::Redeliver { delivery })).await;
    stage.run().await;
    stage.run().await;
    let again = stage.take_sent();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].header("webhook-id"), first[0].header("webhook-id"));
    assert_eq!(again[0].0.body, first[0].0.body);
}

#[tokio::test]
async fn a_period_is_sent_again_from_any_place() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    for order in 1..=3 {
        stage.page(vec![held(order)]).await;
    }
    stage.run().await;
    stage.take_sent();
    let after = Some(EventPlace::after_page(2));
    stage.ask(("mining", WebhookChange::Resume { after })).await;
    stage.run().await;
    stage.run().await;
    let ids = stage.take_ids();
    assert_eq!(ids, ["3-0", "4-0"]);
}

#[tokio::test]
async fn many_events_come_in_several_messages_without_a_gap() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    for page in 0..40 {
        stage.page((1..=3).map(|order| held(page * 3 + order)).collect()).await;
    }
    stage.run().await;
    let sent = stage.take_sent();
    assert_eq!(sent.len(), 3, "fifty at most in one");
    let ids: Vec<String> = sent.iter().flat_map(stage::Sent::ids).collect();
    let expected: Vec<String> =
        (2..=41).flat_map(|page| (0..3).map(move |entry| format!("{page}-{entry}"))).collect();
    assert_eq!(ids, expected);
    for (one, next) in sent.iter().zip(&sent[1..]) {
        assert_eq!(one.body()["data"]["to"], next.body()["data"]["after"]);
    }
}

#[tokio::test]
async fn a_delivery_begins_where_the_one_before_ended_although_nothing_is_wanted_in_between() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    for order in 0..3 {
        stage.page(vec![held(order + 1), Entry::OrderSeen { order: stage::order(9) }]).await;
        stage.run().await;
        stage.page(vec![Entry::OrderSeen { order: stage::order(9) }]).await;
        stage.run().await;
    }
    let sent = stage.take_sent();
    let ids: Vec<String> = sent.iter().map(|sent| sent.header("webhook-id")).collect();
    assert_eq!(ids, ["mining_1-0_2-0", "mining_2-0_4-0", "mining_4-0_6-0"]);
    // Where nothing is wanted in many pages, the place is put down, and the next delivery says nothing of it.
    for _ in 0..600 {
        stage.page(vec![Entry::OrderSeen { order: stage::order(9) }]).await;
    }
    stage.run().await;
    let kept = stage.state("mining").await.expect("it was served");
    assert_eq!(kept.delivered, EventPlace::of_entry(6, 0));
    assert_eq!(kept.searched(), EventPlace::after_page(607));
    stage.page(vec![held(8)]).await;
    stage.run().await;
    assert_eq!(stage.take_sent()[0].header("webhook-id"), "mining_6-0_608-0");
}

#[tokio::test]
async fn a_delivery_whose_sender_was_killed_comes_again_as_it_was_and_later_events_follow() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.run_and_kill().await;
    stage.page(vec![held(2)]).await;
    stage.pass_s(61);
    stage.run().await;
    let sent = stage.take_sent();
    let ids: Vec<String> = sent.iter().map(|sent| sent.header("webhook-id")).collect();
    assert_eq!(ids, ["mining_1-0_2-0", "mining_1-0_2-0", "mining_2-0_3-0"]);
    assert_eq!(sent[0].body(), sent[1].body());
}

#[tokio::test]
async fn an_invocation_that_read_less_of_the_log_leaves_a_delivery_to_the_one_that_began_it() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.run_and_kill().await;
    stage.pass_s(61);
    // As another invocation left it that had read up to page 3, and that ended before it said what came of it.
    let mut state = stage.state("mining").await.expect("a delivery was begun");
    state.next.as_mut().expect("a delivery was begun").to = Some(EventPlace::of_entry(3, 0));
    stage.put_state("mining", &state).await;
    stage.take_sent();
    stage.run().await;
    assert!(stage.take_sent().is_empty(), "the log of this invocation ends before page 3");
    stage.page(vec![held(2)]).await;
    stage.run().await;
    assert_eq!(stage.take_sent()[0].header("webhook-id"), "mining_1-0_3-0");
}

#[tokio::test]
async fn only_the_kinds_that_are_asked_for_are_sent() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[EventType::AdoptionReleased])).await;
    stage.page(vec![held(1), released(1), held(2)]).await;
    stage.run().await;
    assert_eq!(stage.take_sent()[0].ids(), ["2-1"]);
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_of_a_private_network_although_the_log_asks_for_it() {
    let mut stage = Stage::new();
    let change = WebhookChange::Set { url: "https://10.0.0.1/in".to_owned(), types: Vec::new(), after: None };
    stage.ask(("inside", change)).await;
    stage.page(vec![held(1)]).await;
    stage.run().await;
    assert!(stage.take_sent().is_empty());
    let attempts = stage.attempts("inside").await;
    assert!(format!("{:?}", attempts[0].outcome).contains("public Internet"), "{attempts:?}");
}

#[tokio::test]
async fn an_event_is_sent_once_what_it_tells_can_be_asked_for() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.put(vec![held(1)]).await;
    stage.run().await;
    assert!(stage.take_sent().is_empty(), "the heads do not include it");
    stage.project().await;
    stage.run().await;
    assert_eq!(stage.take_sent()[0].ids(), ["2-0"]);
    stage.page(vec![held(2), stage::close("2026-01-31")]).await;
    stage.run().await;
    assert!(stage.take_sent().is_empty(), "the snapshot is not published");
    stage.publish("2026-01-31").await;
    stage.run().await;
    assert_eq!(stage.take_sent()[0].ids(), ["3-0", "3-1"]);
}

#[tokio::test]
async fn two_invocations_at_once_do_not_send_the_same() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.run().await;
    let mut served = stage.state("mining").await.expect("served");
    // Another invocation has taken the subscription for half a minute, and dies.
    served.claimed_until_ms = stage.now_ms() + 30_000;
    stage.put_state("mining", &served).await;
    stage.page(vec![held(2)]).await;
    stage.take_sent();
    stage.run().await;
    assert!(stage.take_sent().is_empty());
    stage.pass_s(31);
    stage.run().await;
    assert_eq!(stage.take_sent()[0].ids(), ["3-0"]);
}

#[tokio::test]
async fn a_new_process_goes_on_where_the_last_one_stopped() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.run().await;
    stage.restart();
    stage.page(vec![held(2)]).await;
    stage.run().await;
    let ids = stage.take_ids();
    assert_eq!(ids, ["2-0", "3-0"]);
    stage.ask(("mining", WebhookChange::Remove)).await;
    stage.page(vec![held(3)]).await;
    let answer: Value = stage.run().await;
    assert!(stage.take_sent().is_empty());
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn what_was_not_read_of_the_log_is_not_sent_although_heads_include_it() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.run().await;
    stage.page(vec![held(2)]).await;
    // Too little time to read on: pages may say more of subscriptions and of versions of the rules.
    stage.run_within_s(1).await;
    assert_eq!(stage.state("mining").await.expect("served").begun(), None);
    stage.run().await;
    let ids = stage.take_ids();
    assert_eq!(ids, ["2-0", "3-0"]);
}

#[tokio::test]
async fn a_stopped_subscription_that_is_resumed_is_not_listed_as_stopped_although_nothing_is_to_be_sent() {
    let mut stage = Stage::new();
    stage.ask(set("mining", &[])).await;
    stage.page(vec![held(1)]).await;
    stage.answer_of("mining", Ok(410));
    stage.run().await;
    stage.take_sent();
    // From here on only: what failed is not wanted any more.
    stage.ask(("mining", WebhookChange::Resume { after: Some(EventPlace::after_page(2)) })).await;
    stage.run().await;
    assert!(stage.take_sent().is_empty());
    let resumed = stage.state("mining").await.expect("served");
    assert_eq!((resumed.stopped_ms, resumed.claimed_until_ms), (None, 0));
}
