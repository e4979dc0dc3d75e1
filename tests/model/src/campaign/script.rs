//! What a history follows from: a seed, and what of the seed's choices is left out or fixed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::bench::{CallPlace, Fate};
use crate::clock::Millis;

/// A history, before it is run. What it holds by itself goes before what the seed would choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The seed.
    pub seed: u64,
    /// Which of the source's transactions are left, by number from 0; all without.
    pub keep: Option<Vec<usize>>,
    /// Which calls meet which fate; by chance without.
    pub fates: Option<BTreeMap<CallPlace, Fate>>,
    /// Which messages are delivered twice, and after how long; by chance without.
    pub duplicates: Option<BTreeMap<u64, Millis>>,
    /// What the history does without.
    pub without: Without,
}

/// Parts that a history does without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each part is there or not, whatever the others are")]
pub struct Without {
    /// Transactions that overlap, and a connector that restarts, reads snapshots or follows a failover.
    pub disorder: bool,
    /// Records that are written twice.
    pub repetition: bool,
    /// What operators ask for.
    pub commands: bool,
    /// Readers of the API.
    pub readers: bool,
    /// Subscribers of events.
    pub subscribers: bool,
}

impl Script {
    /// Returns the whole history of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.seed)?;
        if let Some(keep) = &self.keep {
            let numbers: Vec<String> = keep.iter().map(ToString::to_string).collect();
            write!(formatter, "/keep={}", numbers.join(","))?;
        }
        if let Some(fates) = &self.fates {
            let fates: Vec<String> = fates
                .iter()
                .map(|(call, fate)| format!("{}:{}:{}", call.function, call.number, fate_text(*fate)))
                .collect();
            write!(formatter, "/fates={}", fates.join(","))?;
        }
        if let Some(duplicates) = &self.duplicates {
            let duplicates: Vec<String> =
                duplicates.iter().map(|(message, after_ms)| format!("{message}:{after_ms}")).collect();
            write!(formatter, "/duplicates={}", duplicates.join(","))?;
        }
        let Without { disorder, repetition, commands, readers, subscribers } = self.without;
        let parts = [
            (disorder, "disorder"),
            (repetition, "repetition"),
            (commands, "commands"),
            (readers, "readers"),
            (subscribers, "subscribers"),
        ];
        for (_, name) in parts.iter().filter(|(is_without, _)| *is_without) {
            write!(formatter, "/no-{name}")?;
        }
        Ok(())
    }
}

/// Says that a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is no part of a script such as 38/keep=0,3/fates=ledger-stream:7:killed-after/no-disorder")]
pub struct InvalidScript {
    /// What was not understood.
    pub part: String,
}

impl FromStr for Script {
    type Err = InvalidScript;

    fn from_str(text: &str) -> Result<Self, InvalidScript> {
        let mut parts = text.split('/');
        let seed = parts.next().unwrap_or_default();
        let mut script = Self::of(seed.parse().map_err(|_| InvalidScript { part: seed.to_owned() })?);
        for part in parts {
            script.read(part).ok_or_else(|| InvalidScript { part: part.to_owned() })?;
        }
        Ok(script)
    }
}

impl Script {
    fn read(&mut self, part: &str) -> Option<()> {
        let (name, list) = part.split_once('=').unwrap_or((part, ""));
        let items = || list.split(',').filter(|item| !item.is_empty());
        match name {
            "keep" => self.keep = Some(items().map(|item| item.parse().ok()).collect::<Option<_>>()?),
            "fates" => self.fates = Some(items().map(fate_of).collect::<Option<_>>()?),
            "duplicates" => {
                let pair = |item: &str| {
                    let (message, after_ms) = item.split_once(':')?;
                    Some((message.parse().ok()?, after_ms.parse().ok()?))
                };
                self.duplicates = Some(items().map(pair).collect::<Option<_>>()?);
            }
            "no-disorder" => self.without.disorder = true,
            "no-repetition" => self.without.repetition = true,
            "no-commands" => self.without.commands = true,
            "no-readers" => self.without.readers = true,
            "no-subscribers" => self.without.subscribers = true,
            _ => return None,
        }
        Some(())
    }
}

fn fate_text(fate: Fate) -> String {
    match fate {
        Fate::Works => "works".to_owned(),
        Fate::Fails => "fails".to_owned(),
        Fate::LosesAnswer => "loses-answer".to_owned(),
        Fate::LosesMessage => "loses-message".to_owned(),
        Fate::Throttled => "throttled".to_owned(),
        Fate::KilledBefore => "killed-before".to_owned(),
        Fate::KilledAfter => "killed-after".to_owned(),
        Fate::Hangs => "hangs".to_owned(),
        Fate::StandsStillBefore { for_ms } => format!("stands-still-before:{for_ms}"),
        Fate::StandsStillAfter { for_ms } => format!("stands-still-after:{for_ms}"),
    }
}

fn fate_of(item: &str) -> Option<(CallPlace, Fate)> {
    let mut parts = item.split(':');
    let call = CallPlace { function: parts.next()?.to_owned(), number: parts.next()?.parse().ok()? };
    let name = parts.next()?;
    let mut for_ms = || parts.next()?.parse().ok();
    let fate = match name {
        "works" => Fate::Works,
        "fails" => Fate::Fails,
        "loses-answer" => Fate::LosesAnswer,
        "loses-message" => Fate::LosesMessage,
        "throttled" => Fate::Throttled,
        "killed-before" => Fate::KilledBefore,
        "killed-after" => Fate::KilledAfter,
        "hangs" => Fate::Hangs,
        "stands-still-before" => Fate::StandsStillBefore { for_ms: for_ms()? },
        "stands-still-after" => Fate::StandsStillAfter { for_ms: for_ms()? },
        _ => return None,
    };
    Some((call, fate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_back_from_what_it_shows() {
        let call = |number| CallPlace { function: "ledger-stream".to_owned(), number };
        let fates = [(call(3), Fate::KilledAfter), (call(9), Fate::StandsStillBefore { for_ms: 70 })];
        let script = Script {
            seed: 38,
            keep: Some(vec![0, 4, 5]),
            fates: Some(BTreeMap::from(fates)),
            duplicates: Some(BTreeMap::new()),
            without: Without { disorder: true, readers: true, ..Without::default() },
        };
        let text = "38/keep=0,4,5/fates=ledger-stream:3:killed-after,ledger-stream:9:stands-still-before:70\
                    /duplicates=/no-disorder/no-readers";
        assert_eq!(script.to_string(), text);
        assert_eq!(text.parse(), Ok(script));
        assert_eq!("7".parse(), Ok(Script::of(7)));
        assert!("7/keep=x".parse::<Script>().is_err());
    }
}
