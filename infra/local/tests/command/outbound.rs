//! Commands about events and webhooks, as a person uses them.

use std::path::Path;

use crate::program::{capture, contribution, failure_of, success_of};
use serde_json::Value;

/// Nothing listens there.
const ADDRESS: &str = "http://127.0.0.1:9/in";

fn run(arguments: &[&str], data: &Path) -> String {
    success_of(contribution().args(arguments).arg("--data").arg(data).env("LC_ALL", "C"))
}

fn json(arguments: &[&str], data: &Path) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    serde_json::from_str(&run(&arguments, data)).expect("JSON")
}

fn secrets(data: &Path) -> Vec<Value> {
    json(&["webhook", "secrets", "mining"], data)["secrets"].as_array().expect("a list").clone()
}

#[test]
fn a_subscription_is_made_looked_at_sent_to_again_and_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-01-10", "--data"]);
    success_of(replay.arg(data));
    assert!(run(&["webhooks"], data).contains("no service is sent events"));

    let kind = "DailySnapshotCreated";
    let set = ["webhook", "set", "mining", ADDRESS, "--type", kind, "--after", "0", "--reason", "ticket 1"];
    run(&set, data);
    let shown = run(&["webhooks"], data);
    assert!(shown.contains("mining") && shown.contains(ADDRESS) && shown.contains(kind), "{shown}");
    let one = json(&["webhooks", "mining"], data);
    assert_eq!(one["webhook"]["state"], "FAILING", "{one}");
    let delivery = one["deliveries"][0]["delivery"].as_str().expect("an id").to_owned();
    assert!(run(&["webhooks", "mining"], data).contains(&delivery));
    let mistyped = failure_of(contribution().args(["webhooks", "minning", "--data"]).arg(data));
    assert!(mistyped.contains("did you mean mining?"), "{mistyped}");

    assert_eq!(secrets(data).len(), 1);
    run(&["webhook", "rotate", "mining", "--reason", "it was mailed"], data);
    assert_eq!(secrets(data).len(), 2, "both sign for a day");
    run(&["webhook", "resume", "mining", "--after", "0", "--reason", "it is up again"], data);
    run(&["webhook", "redeliver", &delivery, "--reason", "they lost one"], data);
    run(&["webhook", "remove", "mining", "--reason", "it was shut down"], data);
    let gone = failure_of(
        contribution().args(["webhook", "rotate", "mining", "--reason", "once more", "--data"]).arg(data),
    );
    assert!(gone.contains("there is no subscription mining"), "{gone}");
    assert!(!gone.contains("--key"), "what was refused is refused again: {gone}");
}

#[test]
fn events_of_a_period_are_listed_to_the_limit_and_say_where_to_go_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-01-10", "--data"]);
    success_of(replay.arg(data));
    let all = json(&["events", "--limit", "100000"], data);
    assert_eq!(all["is_last"], true);
    let events = all["events"].as_array().expect("a list");
    assert!(events.len() > 200, "more than one page of the API");
    let first = json(&["events", "--limit", "7"], data);
    let next = first["next"].as_str().expect("a place");
    let rest = json(&["events", "--limit", "100000", "--after", next], data);
    let parts: Vec<&Value> =
        [&first, &rest].into_iter().flat_map(|part| part["events"].as_array().expect("a list")).collect();
    assert_eq!(parts, events.iter().collect::<Vec<_>>());
    let shown = run(&["events", "--type", "DailySnapshotCreated"], data);
    assert!(shown.contains("2026-01-10") && !shown.contains("ContributionCalculated"), "{shown}");
    let wrong = failure_of(contribution().args(["events", "--type", "Snapshot", "--data"]).arg(data));
    assert!(wrong.contains("DailySnapshotCreated"), "{wrong}");
}
