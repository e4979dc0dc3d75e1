//! What a command changes, in words: the state before, and the state after.

use chrono::{DateTime, SecondsFormat};

use super::Decider;
use super::state::Need;
use crate::heads::{AdoptionState, AskedClose, Network};
use crate::log::{AdjustmentTerms, Command, CommandOutcome, PauseScope, Paused, StatedChange};
use crate::{Amount, OrderId, Owner};

impl Decider {
    /// Returns the outcome of a command that is carried out, with the state before it and after it. What it changes
    /// outside the log is what was stated of it.
    pub(super) fn outcome(
        &self,
        command: &Command,
        stated: Option<&StatedChange>,
    ) -> Result<CommandOutcome, Vec<Need>> {
        let network = &self.state.network;
        let time_ms = self.draft.time_ms();
        let (before, after) = match command {
            Command::Introduce(terms) => {
                let before = versions(network);
                let from = terms.from.map_or_else(String::new, |from| format!(" from {from}"));
                let until = terms.until.map_or_else(String::new, |until| format!(" until {until}"));
                let after = format!("{before}, {}{from}{until}", terms.number);
                (before, after)
            }
            Command::Adjust(terms) => self.adjusted(terms)?,
            Command::Close { until, source_is_complete } => {
                let proof = if *source_is_complete { ", without proof that the source was read" } else { "" };
                (asked_for(network), format!("asked to close up to {until}{proof}"))
            }
            Command::Repair { order } => {
                let before = match order {
                    Some(order) => self.standing(*order)?,
                    None => format!("{} adoptions are posted", network.counts.posted),
                };
                (before, "compared again with the rows; entries with this cause say what differed".to_owned())
            }
            Command::LetGo { what } => let_go(network, what, time_ms),
            Command::Pause { scope } => (running(network, *scope), stopped(*scope, time_ms)),
            Command::Resume { scope } => (running(network, *scope), goes_on(*scope)),
            Command::RetireSource { source } => {
                let is_retired = network.retired_sources.contains(source);
                let before = if is_retired { "retired" } else { "waited for" };
                (before.to_owned(), "retired".to_owned())
            }
            Command::TakeOverPlaces { places } => {
                let mut there = 0;
                for (order, _) in places {
                    there += usize::from(self.state.adoption(*order)?.trees_before.is_some());
                }
                let count = places.len();
                (
                    format!("{there} of {count} orders have a place"),
                    format!("{count} of {count} orders have a place"),
                )
            }
            Command::Note { .. } | Command::Webhook { .. } => match stated {
                Some(StatedChange { before, after }) => (before.clone(), after.clone()),
                None => ("not noted".to_owned(), "noted".to_owned()),
            },
            Command::Rejected { .. } => return Ok(CommandOutcome::Done),
        };
        Ok(CommandOutcome::Changed { before, after })
    }

    fn adjusted(&self, terms: &AdjustmentTerms) -> Result<(String, String), Vec<Need>> {
        let (giver, receiver) = (self.state.total(&terms.giver)?, self.state.total(&terms.receiver)?);
        let less = giver.and_then(|total| total.checked_sub(terms.amount).ok());
        let more = receiver.and_then(|total| total.checked_add(terms.amount).ok());
        let both =
            |giver, receiver| format!("{}; {}", has(&terms.giver, giver), has(&terms.receiver, receiver));
        Ok((both(giver, receiver), both(less, more)))
    }

    fn standing(&self, order: OrderId) -> Result<String, Vec<Need>> {
        Ok(match &self.state.adoption(order)?.state {
            AdoptionState::Absent => "not there".to_owned(),
            AdoptionState::Unpriced => "waits for its price".to_owned(),
            AdoptionState::Held(reason) => format!("held: {reason}"),
            AdoptionState::Posted(posting) => format!("posted: {} of {}", posting.total, posting.account),
        })
    }
}

fn has(owner: &Owner, total: Option<Amount>) -> String {
    match total {
        Some(total) => format!("{owner} has {total}"),
        None => format!("what {owner} has cannot be read"),
    }
}

fn versions(network: &Network) -> String {
    let numbers: Vec<String> =
        network.versions.iter().map(|version| version.terms.number.to_string()).collect();
    format!("versions {}", numbers.join(", "))
}

fn asked_for(network: &Network) -> String {
    let closed = match &network.closed {
        Some(closed) => format!("closed up to {}", closed.terms.date),
        None => "no date is closed".to_owned(),
    };
    match network.close_asked {
        Some(AskedClose { until, .. }) => format!("{closed}, asked to close up to {until}"),
        None => closed,
    }
}

fn let_go(network: &Network, what: &Paused, time_ms: i64) -> (String, String) {
    match what {
        Paused::Brake => {
            let counts = &network.counts;
            let before = format!(
                "{} orders and {} uplines wait, with {} adoptions below them",
                counts.orders_waiting, counts.uplines_waiting, counts.adoptions_below_waiting
            );
            (before, format!("what waited by {} is let go", instant(time_ms)))
        }
        Paused::SuspiciousClose { date } => {
            let before = match &network.guard_let_go {
                Some(before) => format!("the guard stops dates after {before}"),
                None => "the guard stops any date".to_owned(),
            };
            let after = network.guard_let_go.map_or(*date, |before| before.max(*date));
            (before, format!("the guard stops dates after {after}"))
        }
        Paused::Truncate { key } => {
            let table = network.truncates.get(key).map_or("?", |truncate| &truncate.table);
            (
                format!("the rows of {table} are in force"),
                format!("the rows of {table} from before the truncate go"),
            )
        }
    }
}

fn running(network: &Network, scope: PauseScope) -> String {
    match network.paused.get(&scope) {
        Some(since_ms) => stopped(scope, *since_ms),
        None => goes_on(scope),
    }
}

fn stopped(scope: PauseScope, since_ms: i64) -> String {
    format!("{} is stopped since {}", scope.name(), instant(since_ms))
}

fn goes_on(scope: PauseScope) -> String {
    format!("{} goes on", scope.name())
}

fn instant(time_ms: i64) -> String {
    let instant =
        DateTime::from_timestamp_millis(time_ms).expect("a clock that shows a date of the calendar");
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
