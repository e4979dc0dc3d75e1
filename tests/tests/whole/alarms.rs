//! What the alarms and the dashboard of `infra/template.yaml` watch is there to be watched, and what can
//! go wrong is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use contribution::template::Template;
use runtime::telemetry::NAMESPACE;
use serde_json::Value;

/// What the functions' metrics are under, with the stage that their environment names.
const NAMESPACE_OF_STAGE: &str = "ContributionLedger/${Stage}";

/// What AWS publishes: the namespace, its metrics that are of use here, and the one dimension each has.
const PUBLISHED: [(&str, &[&str], &str); 5] = [
    (
        "AWS/Lambda",
        &["Errors", "Throttles", "Duration", "ConcurrentExecutions", "IteratorAge", "OffsetLag"],
        "FunctionName",
    ),
    ("AWS/SQS", &["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"], "QueueName"),
    (
        "AWS/DynamoDB",
        &[
            "ReadThrottleEvents",
            "WriteThrottleEvents",
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
        ],
        "TableName",
    ),
    ("AWS/ApiGateway", &["Count", "4xx", "5xx"], "ApiId"),
    ("AWS/Scheduler", &["TargetErrorCount", "InvocationDroppedCount"], "ScheduleGroup"),
];

/// A metric, as an alarm or the dashboard names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric {
    namespace: String,
    name: String,
    dimension: String,
    /// The function of a metric of the ledger's own; otherwise the name of a resource of the template.
    of: String,
}

#[test]
fn every_metric_that_is_watched_is_emitted_or_published() {
    let template = template();
    let of_alarms = alarms(&template).into_values().flatten();
    for metric in of_alarms.chain(on_the_dashboard(&template)) {
        if metric.namespace == NAMESPACE_OF_STAGE {
            assert_eq!(metric.dimension, "function", "{metric:?}");
            assert!(
                source_of(&metric.of).contains(&format!("\"{}\"", metric.name)),
                "{metric:?} is not emitted"
            );
            continue;
        }
        let published = PUBLISHED.iter().find(|(namespace, ..)| *namespace == metric.namespace);
        let (_, names, dimension) =
            published.unwrap_or_else(|| panic!("{metric:?} is of an unknown namespace"));
        assert!(names.contains(&metric.name.as_str()), "{metric:?} is not published");
        assert_eq!(metric.dimension, *dimension, "{metric:?}");
        let kind = match *dimension {
            "FunctionName" => "AWS::Serverless::Function",
            "QueueName" => "AWS::SQS::Queue",
            "TableName" => "AWS::DynamoDB::Table",
            "ApiId" => "AWS::Serverless::HttpApi",
            _ => "AWS::Scheduler::ScheduleGroup",
        };
        assert!(names_of(&template, kind).contains(&metric.of), "{metric:?} is of no {kind}");
    }
}

#[test]
fn stages_do_not_share_metrics() {
    assert_eq!(NAMESPACE_OF_STAGE.strip_suffix("/${Stage}"), Some(NAMESPACE));
    let template = std::fs::read_to_string(root().join("infra/template.yaml")).expect("the template");
    assert!(template.contains("\n        STAGE: !Ref Stage\n"), "every function is told its stage");
}

#[test]
fn whatever_gives_messages_up_has_an_alarm() {
    let template = template();
    let mut give_up: BTreeSet<String> = BTreeSet::new();
    for (_, queue) in template.of_type("AWS::SQS::Queue") {
        give_up.extend(attribute(&queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]));
    }
    for (_, function) in template.of_type("AWS::Serverless::Function") {
        for (_, event) in function["Properties"]["Events"].as_object().into_iter().flatten() {
            give_up.extend(attribute(&event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]));
        }
    }
    assert_eq!(give_up.len(), 4, "{give_up:?}");
    let watched = watched(&template, "ApproximateNumberOfMessagesVisible");
    assert_eq!(watched, give_up);
}

#[test]
fn every_function_and_table_is_watched_for_failures_and_limits() {
    let template = template();
    let functions = names_of(&template, "AWS::Serverless::Function");
    let tables = names_of(&template, "AWS::DynamoDB::Table");
    for metric in ["Errors", "Throttles"] {
        assert_eq!(watched(&template, metric), functions, "{metric}");
    }
    for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] {
        assert_eq!(watched(&template, metric), tables, "{metric}");
    }
}

#[test]
fn every_alarm_notifies_and_the_guide_says_what_to_do_about_it() {
    let template = template();
    let guide = std::fs::read_to_string(root().join("docs/operations.md")).expect("the guide");
    for (logical_name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let description = properties["AlarmDescription"].as_str().unwrap_or_default();
        assert!(description.contains("Next: "), "{logical_name}: {description}");
        for actions in ["AlarmActions", "OKActions"] {
            assert!(properties.get(actions).is_some(), "{logical_name} has {actions}");
        }
        let name = properties["AlarmName"]["Fn::Sub"].as_str().expect("a name");
        let name = name.strip_prefix("contribution-${Stage}-").expect("a name of this deployment");
        // One row is about all functions alike.
        let row = if name.ends_with("-errors") && name != "api-errors" { "<function>-errors" } else { name };
        assert!(guide.contains(row), "the guide says nothing about {name}");
    }
}

#[test]
fn the_alarms_and_the_status_have_the_same_thresholds() {
    let template = template();
    let thresholds = std::fs::read_to_string(root().join("infra/thresholds.json")).expect("the thresholds");
    let thresholds: Value = serde_json::from_str(&thresholds).expect("the thresholds are JSON");
    let threshold_of = |wanted: &str| {
        let alarm = template.of_type("AWS::CloudWatch::Alarm").find(|(name, _)| *name == wanted);
        alarm.expect("the alarm").1["Properties"]["Threshold"].as_u64()
    };
    let lag_seconds = thresholds["source_lag_seconds"].as_u64().expect("seconds");
    assert_eq!(threshold_of("SourceLagAlarm"), Some(lag_seconds * 1_000));
    assert_eq!(threshold_of("CloseOverdueAlarm"), thresholds["close_overdue_minutes"].as_u64());
    assert_eq!(threshold_of("PausedAlarm"), thresholds["pause_minutes"].as_u64());
}

/// Returns the metrics of each alarm.
fn alarms(template: &Template) -> BTreeMap<String, Vec<Metric>> {
    let of = |alarm: &Value| {
        let properties = &alarm["Properties"];
        let parts = properties["Metrics"].as_array().into_iter().flatten();
        let parts = parts.map(|part| &part["MetricStat"]["Metric"]).filter(|part| part.is_object());
        let single = properties.get("MetricName").map(|_| properties);
        parts.chain(single).map(metric).collect::<Vec<Metric>>()
    };
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    let alarms: BTreeMap<String, Vec<Metric>> =
        alarms.map(|(name, alarm)| (name.to_owned(), of(alarm))).collect();
    assert!(alarms.values().all(|metrics| !metrics.is_empty()), "{alarms:?}");
    alarms
}

fn metric(alarm: &Value) -> Metric {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{alarm} is no metric")).to_owned();
    let dimension = &alarm["Dimensions"][0];
    let value = &dimension["Value"];
    let of = value.as_str().map(ToOwned::to_owned).or_else(|| attribute(value));
    Metric {
        namespace: text(alarm["Namespace"].get("Fn::Sub").unwrap_or(&alarm["Namespace"])),
        name: text(&alarm["MetricName"]),
        dimension: text(&dimension["Name"]),
        of: of.unwrap_or_else(|| text(&value["Ref"])),
    }
}

/// Returns the metrics of the dashboard, in which a dot stands for what the line above has there.
fn on_the_dashboard(template: &Template) -> Vec<Metric> {
    let (_, dashboard) = template.of_type("AWS::CloudWatch::Dashboard").next().expect("the template has one");
    let body = dashboard["Properties"]["DashboardBody"]["Fn::Sub"].as_str().expect("a body");
    let body: Value = serde_json::from_str(body).expect("the body is JSON before anything is put in");
    let widgets = body["widgets"].as_array().expect("widgets");
    let metrics =
        widgets.iter().flat_map(|widget| widget["properties"]["metrics"].as_array().expect("metrics"));
    metrics
        .map(|metric| {
            let part = |position: usize| metric[position].as_str().expect("text").to_owned();
            let of = part(3);
            let resource = of.strip_prefix("${").and_then(|of| of.strip_suffix('}'));
            let of = resource.map_or(of.as_str(), |resource| resource.trim_end_matches(".QueueName"));
            Metric { namespace: part(0), name: part(1), dimension: part(2), of: of.to_owned() }
        })
        .collect()
}

/// Returns the resources of which alarms watch this metric.
fn watched(template: &Template, name: &str) -> BTreeSet<String> {
    let metrics = alarms(template).into_values().flatten();
    metrics.filter(|metric| metric.name == name).map(|metric| metric.of).collect()
}

/// Returns the resource of a `GetAtt`.
fn attribute(value: &Value) -> Option<String> {
    let path = value["Fn::GetAtt"].as_str()?;
    path.split_once('.').map(|(resource, _)| resource.to_owned())
}

fn names_of(template: &Template, kind: &str) -> BTreeSet<String> {
    template.of_type(kind).map(|(name, _)| name.to_owned()).collect()
}

/// Returns the source code of a function.
fn source_of(function: &str) -> String {
    let directory = root().join("functions").join(function).join("src");
    let files =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    let mut source = String::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).expect("a folder").map(|file| file.expect("a file").path()));
        } else {
            source += &std::fs::read_to_string(path).expect("source code");
        }
    }
    source
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn template() -> Template {
    Template::load(&BTreeMap::new()).expect("the template")
}
