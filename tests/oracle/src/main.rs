//! Says what must be in the ledger, and names what is not.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use chrono::NaiveDate;
use oracle::generate::{self, Plan, Shape};
use oracle::rows::OrderId;
use oracle::{Adjustment, GOLDEN_PARTS, Inputs, Judgement, Versions, capture, compare, reader};
use serde_json::Value;

const USAGE: &str = "\
oracle expected CAPTURE [--date DATE] [--today DATE] [--policy FILE] [--price-book FILE] [--adjustments FILE]
    prints the ledger that must come of a capture, as JSON in the golden form and more
    DATE      of the snapshot and of what is effective, 2026-02-10 unless given; today is the same date
    --policy  a policy, or a list of versions {number, from, until, policy}
    --price-book   an object with the trees before each order: {\"11\": 1040}
    --adjustments  a list of {from, to, amount, effective_date, expire_date}
oracle generate [--accounts N] [--adoptions N] [--seed N] [--shape recent|uniform|flat|one-root|forest]
    prints an invented capture, one Kafka record a line: 2,000 accounts, 5,500 adoptions, seed 1, recent
oracle compare EXPORT EXPECTED
    names the first differences of an exported ledger from the expected one, and fails if there are any";

/// How many differences are named.
const DIFFERENCES_NAMED: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["expected", capture, options @ ..] => expected(capture, options).map(|()| ExitCode::SUCCESS),
        ["generate", options @ ..] => generate_capture(options).map(|()| ExitCode::SUCCESS),
        ["compare", export, expected] => compare_files(export, expected),
        _ => Err(USAGE.into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

/// Returns the options that follow a command, each with its value.
fn given<'a>(options: &[&'a str], known: &[&str]) -> Result<BTreeMap<&'a str, &'a str>, Box<dyn Error>> {
    let mut given = BTreeMap::new();
    for option in options.chunks(2) {
        match option {
            [name, value] if known.contains(name) => given.insert(*name, *value),
            _ => return Err(format!("{} is no option with a value\n{USAGE}", option[0]).into()),
        };
    }
    Ok(given)
}

fn generate_capture(options: &[&str]) -> Result<(), Box<dyn Error>> {
    let given = given(options, &["--accounts", "--adoptions", "--seed", "--shape"])?;
    let number = |name: &str, default: usize| given.get(name).map_or(Ok(default), |text| text.parse());
    let shape = match given.get("--shape").copied().unwrap_or("recent") {
        "recent" => Shape::Recent { of_last: 1_000 },
        "uniform" => Shape::Uniform,
        "flat" => Shape::Flat,
        "one-root" => Shape::OneRoot,
        "forest" => Shape::Forest { of_each: 100 },
        other => return Err(format!("{other:?} is no shape\n{USAGE}").into()),
    };
    let seed = u64::try_from(number("--seed", 1)?)?;
    let plan = Plan::large(seed, number("--accounts", 2_000)?, number("--adoptions", 5_500)?, shape);
    let mut output = io::BufWriter::new(io::stdout().lock());
    for record in generate::history(&plan).records() {
        let line = serde_json::json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "key": record.key,
            "value": record.value,
        });
        writeln!(output, "{line}")?;
    }
    output.flush()?;
    Ok(())
}

fn expected(capture: &str, options: &[&str]) -> Result<(), Box<dyn Error>> {
    let known = ["--date", "--today", "--policy", "--price-book", "--adjustments"];
    let given = given(options, &known)?;
    let date: NaiveDate = given.get("--date").unwrap_or(&"2026-02-10").parse()?;
    let records = capture::read(capture).map_err(|error| format!("{capture}: {error}"))?;
    let mut inputs = Inputs::new(reader::final_tables(&records)?, date);
    if let Some(today) = given.get("--today") {
        inputs.today = today.parse()?;
    }
    if let Some(file) = given.get("--policy") {
        inputs.versions = Versions::from_json(&text_of(file)?).map_err(|error| format!("{file}: {error}"))?;
    }
    if let Some(file) = given.get("--price-book") {
        inputs.price_book = price_book(&text_of(file)?).map_err(|error| format!("{file}: {error}"))?;
    }
    if let Some(file) = given.get("--adjustments") {
        let adjustments: Vec<Adjustment> =
            serde_json::from_str(&text_of(file)?).map_err(|error| format!("{file}: {error}"))?;
        inputs.adjustments = adjustments;
    }
    let ledger = Judgement::of(&inputs).full(date);
    writeln!(io::stdout(), "{ledger:#}")?;
    Ok(())
}

fn price_book(text: &str) -> Result<BTreeMap<OrderId, u64>, Box<dyn Error>> {
    let places: BTreeMap<String, u64> = serde_json::from_str(text)?;
    let mut price_book = BTreeMap::new();
    for (order_id, before) in places {
        let number = order_id.parse().ok().and_then(OrderId::new);
        price_book.insert(number.ok_or_else(|| format!("{order_id:?} is no order number"))?, before);
    }
    Ok(price_book)
}

/// Compares the golden parts, and of the others those that both documents have.
fn compare_files(export: &str, expected: &str) -> Result<ExitCode, Box<dyn Error>> {
    let document = |file: &str| -> Result<Value, Box<dyn Error>> {
        serde_json::from_str(&text_of(file)?).map_err(|error| format!("{file}: {error}").into())
    };
    let (export, expected) = (document(export)?, document(expected)?);
    let in_both = expected.as_object().into_iter().flat_map(|parts| parts.keys()).map(String::as_str);
    let more = in_both.filter(|part| !GOLDEN_PARTS.contains(part) && export.get(*part).is_some());
    let parts: Vec<&str> = GOLDEN_PARTS.into_iter().chain(more).collect();

    let differences = compare::differences(&export, &expected, &parts, DIFFERENCES_NAMED);
    let mut output = io::stdout().lock();
    for difference in &differences {
        writeln!(output, "{difference}")?;
    }
    if differences.is_empty() {
        writeln!(output, "the same in {}", parts.join(", "))?;
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

fn text_of(file: &str) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(file).map_err(|error| format!("{file}: {error}").into())
}
