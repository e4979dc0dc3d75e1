//! Counts what the functions' calls on the tables cost: for each adoption, and for each account and business date.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;
use clap::Parser;
use contribution::close::close_until;
use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use contribution::{export, replay};
use ledger::queue::Release;
use ledger::rules::BusinessDate;
use ledger::store::Cost;
use serde_json::json;

/// Replays a capture, closes business dates, audits, and prints what each function's calls on the tables
/// came to. Write and read units are those that the tables report, as on AWS.
#[derive(Parser)]
struct Arguments {
    /// A capture
    capture: PathBuf,
    /// The first date to close
    #[arg(long)]
    from: BusinessDate,
    /// The last date to close
    #[arg(long)]
    until: BusinessDate,
}

#[tokio::main]
#[expect(clippy::cast_precision_loss, reason = "counts are for reading, and far below 2^52")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut options = Options::new(Storage::Ephemeral);
    options.parameters.push(("FirstCloseDate".to_owned(), arguments.from.to_string()));
    let stack = Stack::start(&options).await?;
    replay::replay(&stack, &replay::captures(&[arguments.capture])?).await?;
    let exported = export::export(stack.store(), &stack.environment().policy).await?;
    let exported = serde_json::to_value(exported)?;
    let adoptions = exported["orders"].as_u64().context("the export counts adoptions")?;
    let accounts = exported["accounts"].as_object().context("the export has accounts")?.len();
    ensure!(adoptions > 0 && accounts > 0, "the capture has nothing to count");
    let ingested = costs(&stack);
    print("adoption", &ingested, adoptions as f64);
    println!("{:.3} outbound events per adoption", events(&stack).await? as f64 / adoptions as f64);

    let dates = NaiveDate::from(arguments.until).signed_duration_since(arguments.from.into()).num_days() + 1;
    let closed = close_until(&stack, arguments.until, Release::SourceIsComplete).await?;
    stack.settle(|_| {}).await?;
    let rows = closed.latest.map_or(0, |totals| totals.user_count + totals.system_account_count);
    println!("\n{dates} dates closed, {accounts} accounts, {rows} rows in the last snapshot");
    let after = costs(&stack);
    print("account and date", &difference(&after, &ingested), accounts as f64 * dates as f64);

    stack.functions.audit.invoke(json!({ "repair": false })).await?;
    println!();
    let audit = ("LedgerAudit", stack.functions.audit.meter.cost());
    print("adoption", &[audit], adoptions as f64);
    Ok(())
}

/// How many events wait for subscribers, of which there are none here.
async fn events(stack: &Stack) -> Result<u64> {
    use aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages as Messages;
    let url = stack.created().queue_url("OutboundEvents")?;
    let request = stack.clients().sqs.get_queue_attributes().queue_url(url).attribute_names(Messages);
    let attributes = request.send().await?.attributes.unwrap_or_default();
    Ok(attributes.get(&Messages).context("a queue counts its messages")?.parse()?)
}

/// What each function's calls came to so far.
fn costs(stack: &Stack) -> Vec<(&'static str, Cost)> {
    stack.functions.all().iter().map(|function| (function.logical_name, function.meter.cost())).collect()
}

fn difference(after: &[(&'static str, Cost)], before: &[(&'static str, Cost)]) -> Vec<(&'static str, Cost)> {
    let since = |(after, before): (&(&'static str, Cost), &(&'static str, Cost))| {
        let (name, after, before) = (after.0, after.1, before.1);
        let cost = Cost {
            calls: after.calls - before.calls,
            round_trips: after.round_trips - before.round_trips,
            conflicts: after.conflicts - before.conflicts,
            read_units: after.read_units - before.read_units,
            write_units: after.write_units - before.write_units,
        };
        (name, cost)
    };
    after.iter().zip(before).map(since).collect()
}

fn print(per: &str, costs: &[(&'static str, Cost)], count: f64) {
    println!("per {per}, of {count}:");
    println!("{:<24} {:>12} {:>12} {:>12}", "function", "write units", "read units", "round trips");
    let mut sum = Cost::default();
    for (name, cost) in costs.iter().filter(|(_, cost)| cost.calls > 0) {
        line(name, cost, count);
        sum.round_trips += cost.round_trips;
        sum.read_units += cost.read_units;
        sum.write_units += cost.write_units;
    }
    line("together", &sum, count);
}

#[expect(clippy::cast_precision_loss, reason = "counts are for reading, and far below 2^52")]
fn line(name: &str, cost: &Cost, count: f64) {
    let Cost { write_units, read_units, round_trips, .. } = cost;
    println!(
        "{name:<24} {:>12.4} {:>12.4} {:>12.4}",
        write_units / count,
        read_units / count,
        *round_trips as f64 / count
    );
}
