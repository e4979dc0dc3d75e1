//! Examples of the contract are real answers: those of the incident's ledger with its dates closed, the lists cut to
//! their first entries. `tests/contract/examples.py` puts in those that are not.

use std::collections::BTreeMap;
use std::path::Path;

use end_to_end::Client;
use query_api::OPENAPI;
use serde_json::Value;

use crate::days::closed;
use crate::ledger::operator;
use crate::schema::faults;

/// What is asked for where a path of the contract has a parameter.
const VALUES: [(&str, &str); 7] = [
    ("{account}", "D25122700018"),
    ("{order_id}", "57"),
    ("{date}", "2026-02-10"),
    ("{id}", "HEADQUARTERS"),
    ("{page}", "2"),
    ("{webhook}", "mining"),
    ("{key}", "close-the-dates"),
];

/// What is asked for instead, where these values or no query show little.
const PATHS: [(&str, &str); 13] = [
    ("/v1/accounts", "/v1/accounts?ids=D25122700018,D404"),
    ("/v1/accounts/{account}/records", "/v1/accounts/D25122700018/records?limit=2"),
    ("/v1/accounts/{account}/unallocated", "/v1/accounts/D25122700014/unallocated?limit=2"),
    (
        "/v1/accounts/{account}/statement",
        "/v1/accounts/D25122700018/statement?from=2026-01-10&to=2026-01-20&limit=2",
    ),
    ("/v1/accounts/{account}/balance", "/v1/accounts/D25122700018/balance?date=2026-02-10"),
    ("/v1/accounts/{account}/adoptions", "/v1/accounts/D25122700019/adoptions?limit=2"),
    ("/v1/accounts/{account}/upline", "/v1/accounts/D25122700019/upline?limit=2"),
    ("/v1/adoptions/{order_id}/explain", "/v1/adoptions/57/explain?account=D25122700018"),
    ("/v1/snapshots/{date}/rows", "/v1/snapshots/2026-02-10/rows?limit=2"),
    ("/v1/system-accounts/{id}/records", "/v1/system-accounts/HEADQUARTERS/records?limit=2"),
    ("/v1/log", "/v1/log?limit=2"),
    ("/v1/log/{page}", "/v1/log/2?limit=2"),
    ("/v1/events", "/v1/events?type=ContributionCalculated&limit=1"),
];

/// What depends on how often the clock was read: how long something took, and the hashes of pages, which have their
/// time.
const OF_TIME: [&str; 3] = ["took_ms", "hash", "previous_hash"];

fn contract() -> Value {
    serde_json::from_str(OPENAPI).expect("the contract is JSON")
}

fn path_of(pattern: &str) -> String {
    let other = PATHS.iter().find(|(known, _)| *known == pattern);
    other.map_or_else(
        || VALUES.iter().fold(pattern.to_owned(), |path, (name, value)| path.replace(name, value)),
        |(_, path)| (*path).to_owned(),
    )
}

/// Returns whether the value is an instant.
fn is_instant(value: &Value) -> bool {
    value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok())
}

/// Returns an answer with its lists cut to as many entries as those of the example, and with the example's instants.
fn like(answer: &Value, example: &Value) -> Value {
    match (answer, example) {
        (Value::Object(members), Value::Object(expected)) => {
            let like_member = |(name, member): (&String, &Value)| {
                let expected = expected.get(name).unwrap_or(&Value::Null);
                let is_of_time = OF_TIME.contains(&name.as_str()) || is_instant(member);
                let is_alike = is_instant(member) == is_instant(expected) && !expected.is_null();
                let is_taken = is_of_time && is_alike;
                (name.clone(), if is_taken { expected.clone() } else { like(member, expected) })
            };
            members.iter().map(like_member).collect()
        }
        (Value::Array(entries), Value::Array(expected)) if !expected.is_empty() => {
            entries.iter().zip(expected).map(|(entry, expected)| like(entry, expected)).collect()
        }
        _ => answer.clone(),
    }
}

/// Returns what is answered to an operation of the contract; nothing of one that would change the ledger.
async fn answer(client: &Client<'_>, method: &str, pattern: &str, operation: &Value) -> Option<Value> {
    let reply = match (method, pattern) {
        ("get", _) => client.get(&path_of(pattern)).await,
        ("post", "/v1/simulate") => {
            let body = &operation["requestBody"]["content"]["application/json"]["example"];
            client.post(pattern, "", body).await
        }
        _ => return None,
    };
    assert_eq!(reply.status, 200, "{method} {pattern}: {}", reply.text);
    Some(reply.json())
}

#[tokio::test]
async fn the_examples_of_what_is_answered_are_real_answers() {
    let contract = contract();
    let client = operator(closed().await);
    let (mut others, mut compared) = (BTreeMap::new(), 0);
    for (pattern, operations) in contract["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let example = &operation["responses"]["200"]["content"]["application/json"]["example"];
            if !pattern.starts_with("/v1/") || example.is_null() {
                continue;
            }
            let Some(answer) = answer(&client, method, pattern, operation).await else { continue };
            compared += 1;
            if like(&answer, example) != *example {
                others.insert(format!("{method} {pattern}"), answer);
            }
        }
    }
    assert!(compared > 35, "{compared} examples");
    if !others.is_empty() {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("answers.json");
        std::fs::write(&file, serde_json::to_string(&others).expect("JSON")).expect("a file");
        let operations: Vec<&String> = others.keys().collect();
        let file = file.display();
        panic!("examples of {operations:?} are not what is answered: run tests/contract/examples.py {file}");
    }
}

/// Collects what of each example is not as the schema beside it says.
fn collect(contract: &Value, part: &Value, at: &str, seen: &mut u32, found: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            if let (Some(schema), Some(example)) = (members.get("schema"), members.get("example")) {
                *seen += 1;
                let wrong = faults(contract, schema, example);
                found.extend(wrong.into_iter().map(|fault| format!("{at}: {fault}")));
                return;
            }
            for (name, member) in members {
                collect(contract, member, &format!("{at} {name}"), seen, found);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                collect(contract, entry, at, seen, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_example_has_the_shape_that_the_contract_says() {
    let contract = contract();
    let (mut seen, mut found) = (0, Vec::new());
    for part in ["paths", "components"] {
        collect(&contract, &contract[part], part, &mut seen, &mut found);
    }
    assert!(seen > 40, "{seen} examples");
    assert_eq!(found, Vec::<String>::new());
}
