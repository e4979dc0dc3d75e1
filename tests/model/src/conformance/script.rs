//! Scripts as they stand in their file.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::clock::Millis;

/// The scripts of one file.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The scripts in the order of the file.
    pub scripts: Vec<Script>,
}

/// One script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its id.
    pub id: String,
    /// What is there at the beginning.
    pub setup: Value,
    /// What is called, in the order of the file.
    pub steps: Vec<Step>,
    /// What must come out, in the order of the file.
    pub expectations: Vec<Value>,
    /// Until when the world runs.
    pub until_ms: Millis,
}

/// A call that a client sends, once or again and again.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its id.
    pub id: String,
    /// The step as it stands in the file.
    pub json: Value,
    /// When the call is sent, once for each repetition.
    pub sent_ms: Vec<Millis>,
}

/// How long the world runs after the last step or look.
const AFTERWARDS_MS: Millis = 2_000;

impl Suite {
    /// Reads a file of scripts.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let json: Value = serde_json::from_str(text).context("the file is not JSON")?;
        let scripts = json["scripts"].as_array().context("the file has no scripts")?;
        let scripts = scripts.iter().map(Script::parse).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { scripts })
    }
}

impl Script {
    /// Reads one script.
    pub fn parse(json: &Value) -> anyhow::Result<Self> {
        let id = json["id"].as_str().context("a script has no id")?.to_owned();
        let profile = json["latency"].as_str().unwrap_or("fixed");
        ensure!(profile == "fixed", "script {id} is written for the latencies {profile}");
        let list = |name: &str| json[name].as_array().map_or(&[][..], Vec::as_slice);
        let steps = list("steps").iter().map(Step::parse).collect::<anyhow::Result<Vec<_>>>()?;
        let expectations = list("expect").to_vec();
        let sent = steps.iter().flat_map(|step| step.sent_ms.iter().copied());
        let looks = expectations.iter().filter(|look| look.get("list").is_none());
        let looks = looks.filter_map(|look| look["at_ms"].as_u64());
        let last_ms = sent.chain(looks).max().unwrap_or(0);
        let until_ms = json["until_ms"].as_u64().unwrap_or(last_ms + AFTERWARDS_MS);
        Ok(Self { setup: json["setup"].clone(), id, steps, expectations, until_ms })
    }
}

impl Step {
    fn parse(json: &Value) -> anyhow::Result<Self> {
        let id = json["id"].as_str().context("a step has no id")?.to_owned();
        let first_ms = json["at_ms"].as_u64().with_context(|| format!("step {id} has no time"))?;
        let sent_ms = match json.get("repeat") {
            None => vec![first_ms],
            Some(repeat) => {
                let count = repeat["count"].as_u64().context("a repetition has no count")?;
                let every_ms = repeat["every_ms"].as_f64().context("a repetition has no interval")?;
                (0..count).map(|number| first_ms + whole_part(number, every_ms)).collect()
            }
        };
        Ok(Self { id, json: json.clone(), sent_ms })
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "repetitions are few and their intervals are not negative"
)]
fn whole_part(number: u64, every_ms: f64) -> Millis {
    (number as f64 * every_ms).floor() as Millis
}
