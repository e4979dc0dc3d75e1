//! The deployment that is modelled has the numbers of the template.

use model::bench::{Deployment, Manners, Subscriber, Trigger};
use model::deployed::{LedgerOptions, Subscribed, ledger_deployment};
use model::random::Random;
use model::table::Throughput;

const TEMPLATE: &str = include_str!("../../../../infra/template.yaml");

/// Returns the lines of a resource of the template.
fn resource(name: &str) -> String {
    let head = format!("\n  {name}:\n");
    let begin = TEMPLATE.find(&head).unwrap_or_else(|| panic!("the template has {name}")) + head.len();
    let lines = TEMPLATE[begin..].lines().take_while(|line| line.is_empty() || line.starts_with("   "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the number that a resource gives a property.
fn number(resource: &str, property: &str) -> u64 {
    let line = resource.lines().find(|line| line.trim_start().starts_with(&format!("{property}:")));
    let line = line.unwrap_or_else(|| panic!("{property} is there"));
    line.split(':').nth(1).and_then(|value| value.trim().parse().ok()).expect("a number")
}

fn deployment() -> Deployment {
    ledger_deployment(&LedgerOptions {
        settings: runtime::Settings::default(),
        topics: [("orders".to_owned(), 1)].into(),
        records_per_event: 1_000,
        warm: Throughput::default(),
        clock_skews_ms: vec![0],
        subscribed: Some(Subscribed {
            subscriber: Subscriber::new(Random::new(1), Manners::default()),
            limits: webhook_delivery::Limits::default(),
        }),
    })
}

#[test]
fn functions_may_run_as_long_as_the_template_lets_them() {
    let resources = [
        ("cdc-ingest", "CdcIngest"),
        ("adoption-distribution", "AdoptionDistribution"),
        ("ledger-stream", "LedgerStream"),
        ("contribution-expiry", "ContributionExpiry"),
        ("daily-snapshot", "DailySnapshot"),
        ("talent-propagation", "TalentPropagation"),
        ("query-api", "QueryApi"),
        ("ledger-audit", "LedgerAudit"),
        ("webhook-delivery", "WebhookDelivery"),
    ];
    let deployment = deployment();
    for (name, resource_name) in resources {
        let function =
            deployment.functions.iter().find(|function| function.name == name).expect("it is deployed");
        assert_eq!(function.timeout_ms, number(&resource(resource_name), "Timeout") * 1_000, "{name}");
    }
    assert_eq!(deployment.functions.len(), resources.len());
}

#[test]
fn queues_have_the_attributes_of_the_template() {
    let deployment = deployment();
    for name in ["DecisionsQueue", "TalentQueue", "ClosingsQueue"] {
        let template = resource(name);
        let queue = deployment.queues.iter().find(|queue| queue.name.trim_end_matches(".fifo") == name);
        let attributes = &queue.expect("it is deployed").attributes;
        for attribute in ["VisibilityTimeout", "MessageRetentionPeriod"] {
            assert_eq!(attributes[attribute], number(&template, attribute).to_string(), "{name} {attribute}");
        }
        let receives = template.split("maxReceiveCount: ").nth(1).expect("it has dead letters");
        let receives: String = receives.chars().take_while(char::is_ascii_digit).collect();
        assert!(attributes["RedrivePolicy"].contains(&format!("\"maxReceiveCount\":{receives}")), "{name}");
    }
}

#[test]
fn the_stream_of_the_log_wakes_as_the_template_says() {
    let deployment = deployment();
    for (name, resource_name) in [("ledger-stream", "LedgerStream"), ("webhook-delivery", "WebhookDelivery")]
    {
        let template = resource(resource_name);
        let function = deployment.functions.iter().find(|function| function.name == name);
        let triggers = &function.expect("it is deployed").triggers;
        let mapping = triggers.iter().find_map(|trigger| match trigger {
            Trigger::Mapping(mapping) => Some(mapping),
            _ => None,
        });
        let mapping = mapping.expect("a stream triggers it");
        for property in [
            "BatchSize",
            "MaximumBatchingWindowInSeconds",
            "ParallelizationFactor",
            "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts",
        ] {
            assert_eq!(mapping[property], number(&template, property), "{name} {property}");
        }
        let is_minute = |trigger: &Trigger| matches!(trigger, Trigger::Every(60_000));
        assert!(triggers.iter().any(is_minute) && template.contains("rate(1 minute)"), "{name}");
    }
}
