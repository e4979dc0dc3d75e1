//! The close of business dates: gate, guard and cut (rules, section 8).

use std::fmt;

use super::Decider;
use super::state::Need;
use crate::log::{CloseTerms, Entry, PauseScope};
use crate::{AdoptionRow, Amount, BusinessDate, Column};

/// How many of the thirty dates before must have something before the guard compares with them.
const GUARD_DATES_MIN: usize = 7;

/// What a close waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitReason {
    /// The source is not known to be read past the beginning of the date.
    Source {
        /// What is not read.
        partition: String,
    },
    /// Adoptions of earlier dates wait for their place in the price book.
    Unpriced {
        /// How many adoptions.
        orders: usize,
    },
    /// Adoptions are being compared again.
    Walks {
        /// How many walks go on.
        walks: usize,
    },
    /// This was stopped by hand: closing itself, or posting, without which adoptions are missing.
    Paused {
        /// What was stopped.
        scope: PauseScope,
    },
    /// More becomes effective than the guard lets pass without a look, or more was taken back.
    Suspicious {
        /// What is suspicious.
        message: String,
    },
}

impl WaitReason {
    /// Returns whether this text in the log says the same. How many adoptions or corrections it says does not matter.
    fn is_told_by(&self, text: &str) -> bool {
        match self {
            Self::Unpriced { .. } => text.starts_with("UNPRICED"),
            Self::Walks { .. } => text.starts_with("CORRECTIONS"),
            Self::Source { .. } | Self::Paused { .. } | Self::Suspicious { .. } => *text == self.to_string(),
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { partition } => {
                write!(formatter, "SOURCE: {partition} is not read past the midnight")
            }
            Self::Unpriced { orders } => write!(formatter, "UNPRICED: {orders} adoptions have no price yet"),
            Self::Walks { walks } => write!(formatter, "CORRECTIONS: {walks} corrections go on"),
            Self::Paused { scope: PauseScope::Posting } => {
                formatter.write_str("PAUSED: posting was stopped by an operator")
            }
            Self::Paused { .. } => formatter.write_str("PAUSED: closing was stopped by an operator"),
            Self::Suspicious { message } => write!(formatter, "SUSPICIOUS: {message}"),
        }
    }
}

impl Decider {
    /// Returns whether the guard stops a close until an operator lets it go.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        let waits = self.state.network.close_waits.as_ref();
        waits.is_some_and(|(_, reasons)| reasons.iter().any(|reason| reason.starts_with("SUSPICIOUS")))
    }

    /// Closes the next date if one was asked for and nothing is in the way.
    pub(super) fn close_next(&mut self) -> Result<bool, Vec<Need>> {
        let Some(date) = self.date_to_close().filter(|_| !self.close_looked_at) else { return Ok(false) };
        let reasons = self.close_waits_for(date)?;
        self.close_looked_at = true;
        if !reasons.is_empty() {
            let known = self.state.network.close_waits.as_ref().filter(|(waiting, _)| *waiting == date);
            let is_known = known.is_some_and(|(_, known)| {
                known.len() == reasons.len()
                    && known.iter().zip(&reasons).all(|(known, reason)| reason.is_told_by(known))
            });
            if !is_known {
                let reasons = reasons.iter().map(ToString::to_string).collect();
                self.push(Entry::CloseWaits { date, reasons });
            }
            return Ok(!is_known);
        }
        self.note_walks();
        let network = &self.state.network;
        let terms = CloseTerms {
            date,
            previous: network.closed.as_ref().map(|closed| closed.terms.date),
            previous_cut: network.closed.as_ref().map_or(0, |closed| closed.cut),
            progress: self.inputs.progress.clone().unwrap_or_default().orders,
        };
        self.push(Entry::Close(terms));
        self.close_looked_at = false;
        Ok(true)
    }

    /// Returns the next date to close, if it was asked for and has begun.
    fn date_to_close(&self) -> Option<BusinessDate> {
        let network = &self.state.network;
        let until = network.close_asked?.until;
        let next = match &network.closed {
            Some(closed) => closed.terms.date.next(),
            None => self.parameters.first_date.or(network.counts.effective_first)?,
        };
        (next <= until && next <= self.today()).then_some(next)
    }

    fn close_waits_for(&self, date: BusinessDate) -> Result<Vec<WaitReason>, Vec<Need>> {
        let network = &self.state.network;
        let mut reasons = Vec::new();
        let stopped = [PauseScope::Closing, PauseScope::Posting].into_iter();
        let stopped = stopped.filter(|scope| network.paused.contains_key(scope));
        reasons.extend(stopped.map(|scope| WaitReason::Paused { scope }));
        let asked = network.close_asked;
        if asked.and_then(|asked| asked.complete_until) < Some(date) {
            reasons.extend(self.unread_before(date));
        }
        let begins_ms = date.begins_at(self.parameters.zone).timestamp_millis();
        let asked_ms = asked.map_or(begins_ms, |asked| asked.asked_ms);
        let mut unpriced =
            network.unpriced.values().filter(|order| order.is_committed_before(begins_ms)).count();
        if unpriced == 0 && reasons.is_empty() {
            unpriced = self.unpriced_and_dated_before(date, asked_ms)?;
        }
        if unpriced > 0 {
            reasons.push(WaitReason::Unpriced { orders: unpriced });
        }
        let patience_ms = self.parameters.walk_patience_ms;
        let walks = network.walks.values();
        let walks = walks.filter(|walk| self.draft.time_ms() - walk.began_ms < patience_ms).count();
        if walks > 0 {
            reasons.push(WaitReason::Walks { walks });
        }
        if network.guard_let_go.is_none_or(|let_go| let_go < date) {
            reasons.extend(self.suspicion(date));
        }
        Ok(reasons)
    }

    /// Returns how many adoptions without a price are dated before `date` and were committed before the close was asked for.
    /// What is committed later does not concern it, and there is always some of that.
    fn unpriced_and_dated_before(&self, date: BusinessDate, asked_ms: i64) -> Result<usize, Vec<Need>> {
        let is_before = |row: &AdoptionRow| matches!(&row.date, Column::Value(dated) if *dated < date);
        let unpriced =
            self.state.network.unpriced.iter().filter(|(_, order)| order.is_committed_before(asked_ms));
        let (mut orders, mut missing) = (0, Vec::new());
        for (order, _) in unpriced {
            match self.state.adoption(*order) {
                Ok(head) => orders += usize::from(head.row().is_some_and(is_before)),
                Err(needs) => missing.extend(needs),
            }
        }
        if missing.is_empty() { Ok(orders) } else { Err(missing) }
    }

    /// Returns the partitions of the source that are not known to be read past the beginning of `date`.
    fn unread_before(&self, date: BusinessDate) -> Vec<WaitReason> {
        let Some(progress) = &self.inputs.progress else {
            return vec![WaitReason::Source { partition: "what was announced last".to_owned() }];
        };
        let begins_ms = date.begins_at(self.parameters.zone).timestamp_millis();
        let behind = progress.orders.iter().filter(|partition| partition.read_through_ms < begins_ms);
        let behind = behind.map(|partition| partition.partition.clone());
        let unread = behind.chain(progress.unread.iter().cloned());
        unread.map(|partition| WaitReason::Source { partition }).take(10).collect()
    }

    /// Returns what the guard stops the close of `date` for.
    fn suspicion(&self, date: BusinessDate) -> Option<WaitReason> {
        let factor = self.parameters.guard_factor?;
        let counts = &self.state.network.counts;
        let before = counts.effective_amounts.range(date.minus_days(30)..date);
        let before: Vec<Amount> =
            before.map(|(_, amount)| *amount).filter(|amount| *amount > Amount::ZERO).collect();
        let on_date = counts.effective_amounts.get(&date).copied().unwrap_or_default();
        if before.len() >= GUARD_DATES_MIN {
            let largest = before.iter().max().copied().unwrap_or_default();
            if largest.times(factor).is_ok_and(|limit| on_date > limit) {
                let message =
                    format!("{on_date} becomes effective, and at most {largest} did on the dates before");
                return Some(WaitReason::Suspicious { message });
            }
        }
        let taken_back = counts.taken_back_since_close;
        let is_much = taken_back.times(10).is_ok_and(|tenfold| tenfold > counts.posted_total);
        (is_much && self.state.network.closed.is_some()).then(|| {
            let message = format!("{taken_back} was taken back since the last close");
            WaitReason::Suspicious { message }
        })
    }
}
