//! Functions that do what a script says.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::clock::Millis;
use crate::lambda::{Invocation, Outcome};

/// The behaviour of one function: rules of which the first that fits is taken.
#[derive(Debug, Default)]
pub(super) struct Stub {
    rules: Vec<Rule>,
    invocations: u64,
}

#[derive(Debug)]
struct Rule {
    invocation: Option<u64>,
    contains: Option<String>,
    times: Option<u64>,
    taken: u64,
    action: Action,
}

#[derive(Clone, Debug)]
struct Action {
    after_ms: Millis,
    result: Kind,
    failures: Vec<String>,
    and_following: bool,
    releases: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ok,
    Error,
    Hang,
    Kill,
    Partial,
}

/// What a function is going to do in one invocation.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) runs_ms: Millis,
    pub(super) outcome: Outcome,
    /// The positions of the messages that it makes visible again before it ends.
    pub(super) releases: Vec<usize>,
}

const DEFAULT_RUN_MS: Millis = 10;

impl Stub {
    /// Reads the behaviour of a function.
    pub(super) fn parse(behaviour: &Value) -> anyhow::Result<Self> {
        let rules = behaviour.as_array().map_or(&[][..], Vec::as_slice);
        Ok(Self { rules: rules.iter().map(Rule::parse).collect::<anyhow::Result<_>>()?, invocations: 0 })
    }

    /// Decides what an invocation does; a handler that would run too long is stopped.
    pub(super) fn begin(&mut self, invocation: &Invocation, timeout_ms: Millis) -> Plan {
        self.invocations += 1;
        let texts = invocation.payload.texts();
        let number = self.invocations;
        let action = match self.rules.iter_mut().find(|rule| rule.fits(number, &texts)) {
            Some(rule) => {
                rule.taken += 1;
                rule.action.clone()
            }
            None => Action::default(),
        };
        let failures = action.failed_positions(&texts);
        let releases = if action.releases { failures.clone() } else { Vec::new() };
        if action.result == Kind::Hang || action.after_ms > timeout_ms {
            return Plan { runs_ms: timeout_ms, outcome: Outcome::TimedOut, releases };
        }
        let outcome = match action.result {
            Kind::Ok => Outcome::Succeeded(None),
            Kind::Error => Outcome::Failed("the script says so".to_owned()),
            Kind::Kill => Outcome::Killed,
            Kind::Partial => Outcome::Partial(failures),
            Kind::Hang => unreachable!("handled above"),
        };
        Plan { runs_ms: action.after_ms, outcome, releases }
    }
}

impl Rule {
    fn parse(json: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            invocation: json["invocation"].as_u64(),
            contains: json["contains"].as_str().map(str::to_owned),
            times: json["times"].as_u64(),
            taken: 0,
            action: Action::parse(&json["do"]).context("a rule of a function")?,
        })
    }

    fn fits(&self, number: u64, texts: &[String]) -> bool {
        self.invocation.is_none_or(|invocation| invocation == number)
            && self.contains.as_ref().is_none_or(|text| texts.contains(text))
            && self.times.is_none_or(|times| self.taken < times)
    }
}

impl Action {
    fn parse(json: &Value) -> anyhow::Result<Self> {
        let result = match json["result"].as_str() {
            None | Some("ok") => Kind::Ok,
            Some("error") => Kind::Error,
            Some("hang") => Kind::Hang,
            Some("kill") => Kind::Kill,
            Some("partial") => Kind::Partial,
            Some(other) => bail!("a function cannot end with {other}"),
        };
        let failures = json["failures"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(Self {
            after_ms: json["after_ms"].as_u64().unwrap_or(DEFAULT_RUN_MS),
            result,
            failures: failures.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            and_following: json["and_following"].as_bool().unwrap_or(false),
            releases: json["release"].as_bool().unwrap_or(false),
        })
    }

    fn failed_positions(&self, texts: &[String]) -> Vec<usize> {
        let failed = |position: &usize| self.failures.contains(&texts[*position]);
        match (0..texts.len()).find(failed) {
            Some(first) if self.and_following => (first..texts.len()).collect(),
            _ => (0..texts.len()).filter(failed).collect(),
        }
    }
}

impl Default for Action {
    fn default() -> Self {
        Self {
            after_ms: DEFAULT_RUN_MS,
            result: Kind::Ok,
            failures: Vec::new(),
            and_following: false,
            releases: false,
        }
    }
}
