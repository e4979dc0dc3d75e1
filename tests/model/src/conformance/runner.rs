//! Runs one script.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::expectation::{self, Observed};
use super::macros::{Answers, expand};
use super::script::{Script, Step};
use super::stub::Stub;
use crate::clock::Millis;
use crate::lambda::{
    DEFAULT_ASYNC_AGE_MS, FunctionOptions, Invocation, Outcome, Payload, Schedule, Target, parse_rate,
};
use crate::queue::Receipt;
use crate::random::Random;
use crate::table::{Billing, Schema, TableOptions, Throughput, Units, ViewType};
use crate::value::item_from_json;
use crate::wire;
use crate::world::{Answer, Fault, Notice, Profile, World};

/// An expectation that does not hold, or a script that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The script.
    pub script: String,
    /// What was expected and what came out.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.script, self.reason)
    }
}

/// How long before it ends a function makes messages visible again.
const RELEASE_MS: Millis = 5;

/// Runs a script and returns every expectation that does not hold.
#[must_use]
pub fn run_script(script: &Script) -> Vec<Failure> {
    let reasons =
        Runner::new(script).and_then(Runner::run).unwrap_or_else(|error| vec![format!("{error:#}")]);
    reasons.into_iter().map(|reason| Failure { script: script.id.clone(), reason }).collect()
}

struct Runner<'script> {
    script: &'script Script,
    world: World,
    stubs: BTreeMap<String, Stub>,
    alarms: Vec<Alarm>,
    /// Calls that have no answer yet: the step, the input as it was sent, and when.
    sent: BTreeMap<u64, (usize, Value, Millis)>,
    answers: Answers,
    observed: Observed,
}

enum Alarm {
    Send { step: usize, repetition: u64 },
    Release { queue: String, receipts: Vec<Receipt> },
}

impl<'script> Runner<'script> {
    fn new(script: &'script Script) -> anyhow::Result<Self> {
        let mut runner = Self {
            script,
            world: World::new(Profile::Fixed, Random::new(0)),
            stubs: BTreeMap::new(),
            alarms: Vec::new(),
            sent: BTreeMap::new(),
            answers: Answers::new(),
            observed: Observed::default(),
        };
        runner.set_up().context("setup")?;
        runner.plan_steps();
        Ok(runner)
    }

    fn run(mut self) -> anyhow::Result<Vec<String>> {
        let mut looks: Vec<(Millis, &Value)> = self
            .script
            .expectations
            .iter()
            .filter(|expectation| expectation::is_look(expectation))
            .map(|look| (look["at_ms"].as_u64().unwrap_or(self.script.until_ms), look))
            .collect();
        looks.sort_by_key(|(at_ms, _)| *at_ms);
        let mut failures = Vec::new();
        for (at_ms, look) in looks {
            self.run_until(at_ms)?;
            failures.extend(expectation::check_look(look, &mut self.world));
        }
        self.run_until(self.script.until_ms)?;
        for expectation in self.script.expectations.iter().filter(|other| !expectation::is_look(other)) {
            failures.extend(expectation::check(expectation, &self.observed));
        }
        Ok(failures)
    }

    fn run_until(&mut self, until_ms: Millis) -> anyhow::Result<()> {
        while self.world.step(until_ms) {
            while let Some(notice) = self.world.take_notice() {
                match notice {
                    Notice::Alarm(token) => self.on_alarm(token)?,
                    Notice::Answered(answer) => self.on_answer(&answer),
                    Notice::Begins(invocation) => self.on_begin(&invocation),
                }
            }
        }
        Ok(())
    }

    fn on_alarm(&mut self, token: u64) -> anyhow::Result<()> {
        match &self.alarms[usize::try_from(token)?] {
            Alarm::Release { queue, receipts } => {
                self.world.with_queue(queue, |queue, now_ms| {
                    for receipt in receipts {
                        queue.change_visibility(now_ms, *receipt, 0);
                    }
                });
                Ok(())
            }
            Alarm::Send { step, repetition } => {
                let (step, repetition) = (*step, *repetition);
                self.send(step, repetition).with_context(|| format!("step {}", self.script.steps[step].id))
            }
        }
    }

    fn send(&mut self, position: usize, repetition: u64) -> anyhow::Result<()> {
        let Step { json, .. } = &self.script.steps[position];
        if json.get("inject").is_some() {
            return self.inject(json, repetition);
        }
        let text = |name: &str| json[name].as_str().with_context(|| format!("it has no {name}"));
        let input = expand(json.get("input").unwrap_or(&json!({})), repetition, &self.answers)?;
        let fault = match json["fault"].as_str() {
            None => Fault::None,
            Some("lose_answer") => Fault::LoseAnswer,
            Some("error_before") => Fault::ErrorBefore,
            Some(other) => bail!("the fault {other} is unknown"),
        };
        let (client, call) = (text("client")?, text("call")?);
        let request =
            wire::decode(client, call, &input).with_context(|| format!("{client} has no call {call}"))?;
        let sent_ms = self.world.now_ms();
        let number = self.world.send(request, fault);
        self.sent.insert(number, (position, input, sent_ms));
        Ok(())
    }

    fn inject(&mut self, json: &Value, repetition: u64) -> anyhow::Result<()> {
        ensure!(json["inject"] == "duplicate", "the injection {} is unknown", json["inject"]);
        let json = expand(json, repetition, &self.answers)?;
        let name = json["queue"].as_str().context("it names no queue")?;
        let body = json["body"].as_str().context("it names no body")?;
        self.world
            .with_queue(name, |queue, now_ms| queue.duplicate(now_ms, body))
            .with_context(|| format!("there is no queue {name}"))?;
        Ok(())
    }

    fn on_answer(&mut self, answer: &Answer) {
        let Some((position, input, sent_ms)) = self.sent.remove(&answer.call) else { return };
        let step = &self.script.steps[position];
        let report = consumed_report(&step.json, &input, answer);
        let (error, output) = match &answer.result {
            Ok(output) => (None, wire::encode(output, report)),
            Err(error) => (Some(wire::error_name(error)), wire::error_output(error)),
        };
        self.answers.insert(step.id.clone(), output.clone());
        let consumed = answer.consumed.iter().map(|(_, consumed)| consumed.total()).sum::<Units>().as_f64();
        let takes_ms = self.world.now_ms() - sent_ms;
        self.observed.answered(&step.id, error, output, takes_ms, consumed);
    }

    fn on_begin(&mut self, invocation: &Invocation) {
        let now_ms = self.world.now_ms();
        let timeout_ms = self
            .world
            .functions
            .get(&invocation.function)
            .map_or(Millis::MAX, |function| function.options.timeout_ms);
        let stub = self.stubs.entry(invocation.function.clone()).or_default();
        let plan = stub.begin(invocation, timeout_ms);
        let ends_ms = now_ms + plan.runs_ms;
        self.observed.begun(invocation, ends_ms, outcome_name(&plan.outcome));
        if let (Payload::Messages { queue, messages }, false) =
            (&*invocation.payload, plan.releases.is_empty())
        {
            let receipts = plan.releases.iter().map(|position| messages[*position].receipt).collect();
            let at_ms = ends_ms.saturating_sub(RELEASE_MS).max(now_ms);
            self.set_alarm(at_ms, Alarm::Release { queue: queue.clone(), receipts });
        }
        self.world.end_invocation_at(ends_ms, invocation.number, plan.outcome);
    }

    fn set_alarm(&mut self, at_ms: Millis, alarm: Alarm) {
        self.alarms.push(alarm);
        self.world.set_alarm(at_ms, self.alarms.len() as u64 - 1);
    }

    /// Plans all calls in order of time; those of one time, in the order of the file.
    fn plan_steps(&mut self) {
        let mut sends: Vec<(Millis, usize, u64)> = Vec::new();
        for (step, content) in self.script.steps.iter().enumerate() {
            sends.extend(
                content.sent_ms.iter().zip(0..).map(|(at_ms, repetition)| (*at_ms, step, repetition)),
            );
        }
        sends.sort_unstable();
        for (at_ms, step, repetition) in sends {
            self.set_alarm(at_ms, Alarm::Send { step, repetition });
        }
    }

    fn set_up(&mut self) -> anyhow::Result<()> {
        let setup = expand(&self.script.setup, 0, &self.answers)?;
        let of = |name: &str| setup[name].as_object().into_iter().flatten();
        for (name, json) in of("tables") {
            self.set_up_table(name, json).with_context(|| format!("table {name}"))?;
        }
        for (name, json) in of("queues") {
            let attributes = json["attributes"].as_object().into_iter().flatten();
            let attributes = attributes
                .map(|(name, value)| {
                    (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                })
                .collect();
            let queue =
                self.world.queues.create(name, attributes).with_context(|| format!("queue {name}"))?;
            if let Some(limit) = json["in_flight_limit"].as_u64() {
                queue.in_flight_limit = usize::try_from(limit)?;
            }
        }
        for (name, json) in of("topics") {
            let partitions = json["partitions"].as_u64().unwrap_or(1);
            self.world.create_topic(name, u32::try_from(partitions)?);
        }
        if let Some(concurrency) = setup["account"]["concurrency"].as_u64() {
            self.world.functions.concurrency = usize::try_from(concurrency)?;
        }
        for (name, json) in of("functions") {
            self.set_up_function(name, json).with_context(|| format!("function {name}"))?;
        }
        for json in setup["mappings"].as_array().into_iter().flatten() {
            self.world.preset_mapping(json).context("mapping")?;
        }
        for json in setup["schedules"].as_array().into_iter().flatten() {
            let expression = json["ScheduleExpression"].as_str().context("a schedule has no expression")?;
            let function = json["function"].as_str().context("a schedule has no function")?.to_owned();
            let every_ms = parse_rate(expression).with_context(|| format!("the schedule {expression}"))?;
            self.world.add_schedule(Schedule { every_ms, target: Target::Function(function), on: true });
        }
        Ok(())
    }

    fn set_up_table(&mut self, name: &str, json: &Value) -> anyhow::Result<()> {
        let key = |position: usize| json["key"][position].as_str().map(str::to_owned);
        let throughput = |member: &Value| Throughput {
            write: Units::whole(member["write"].as_u64().unwrap_or(0)),
            read: Units::whole(member["read"].as_u64().unwrap_or(0)),
        };
        let billing = match json["billing"].as_str() {
            None | Some("PAY_PER_REQUEST") => Billing::OnDemand { warm: throughput(&json["warm"]) },
            Some("PROVISIONED") => Billing::Provisioned(throughput(&json["provisioned"])),
            Some(other) => bail!("the billing {other} is unknown"),
        };
        let stream = match json["stream"].as_str() {
            None => None,
            Some("KEYS_ONLY") => Some(ViewType::KeysOnly),
            Some("NEW_IMAGE") => Some(ViewType::NewImage),
            Some("OLD_IMAGE") => Some(ViewType::OldImage),
            Some("NEW_AND_OLD_IMAGES") => Some(ViewType::NewAndOldImages),
            Some(other) => bail!("the view type {other} is unknown"),
        };
        let table = self.world.database.create(TableOptions {
            name: name.to_owned(),
            schema: Schema { partition: key(0).context("it has no key")?, sort: key(1) },
            billing,
            stream,
            replica_lag_ms: json["replica_lag_ms"].as_u64().unwrap_or(0),
        });
        for item in json["items"].as_array().into_iter().flatten() {
            table.preset(item_from_json(item)?)?;
        }
        Ok(())
    }

    fn set_up_function(&mut self, name: &str, json: &Value) -> anyhow::Result<()> {
        let retries = json["async"]["MaximumRetryAttempts"].as_u64().unwrap_or(2);
        let reserved = json["reserved_concurrency"].as_u64().map(usize::try_from).transpose()?;
        self.world.functions.create(FunctionOptions {
            name: name.to_owned(),
            timeout_ms: json["timeout_ms"].as_u64().unwrap_or(3_000),
            reserved_concurrency: reserved,
            async_retries: u32::try_from(retries)?,
            async_max_age_ms: json["async"]["MaximumEventAgeInSeconds"]
                .as_u64()
                .map_or(DEFAULT_ASYNC_AGE_MS, |seconds| seconds * 1_000),
            clock_skews_ms: json["clock_skew_ms"]
                .as_array()
                .map_or(&[][..], Vec::as_slice)
                .iter()
                .filter_map(Value::as_i64)
                .collect(),
        });
        self.stubs.insert(name.to_owned(), Stub::parse(&json["behaviour"])?);
        Ok(())
    }
}

fn consumed_report<'answer>(
    step: &Value,
    input: &Value,
    answer: &'answer Answer,
) -> Option<wire::ConsumedReport<'answer>> {
    let asked = input["ReturnConsumedCapacity"].as_str().filter(|asked| *asked != "NONE")?;
    let call = step["call"].as_str().unwrap_or_default();
    let transaction = call.starts_with("Transact") || call == "ExecuteTransaction";
    Some(wire::ConsumedReport {
        tables: &answer.consumed,
        as_list: transaction || call.starts_with("Batch"),
        by_direction: transaction,
        by_index: asked == "INDEXES",
    })
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded(_) => "ok",
        Outcome::Partial(_) => "partial",
        Outcome::Failed(_) => "error",
        Outcome::TimedOut => "timeout",
        Outcome::Killed => "kill",
    }
}
