//! What a replay did, for a person to read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use domain::heads::{AdoptionState, Counts as NetworkCounts};
use domain::{AccountSequence, Amount, OrderId, Versions};
use store::progress::{self, Counts};
use store::quarantine::{self, Quarantined};
use store::{heads, network};

use crate::stack::Stack;

/// Quarantined records listed one by one; more are only counted.
const QUARANTINED_LISTED_MAX: usize = 20;

/// What a replay did.
#[derive(Debug)]
pub struct Summary {
    counts: Counts,
    network: NetworkCounts,
    quarantined: BTreeMap<String, usize>,
    quarantined_first: Vec<Quarantined>,
    given_up: BTreeMap<String, usize>,
    /// Adoptions that this run posted, and how long it took.
    posted: u64,
    elapsed: Duration,
}

impl Summary {
    /// Reads what there is to say. `posted_before` are the adoptions that were posted before this run.
    pub async fn read(stack: &Stack, posted_before: u64, elapsed: Duration) -> Result<Self> {
        let engine = stack.engine();
        let mut counts = Counts::default();
        for progress in progress::read(engine).await? {
            counts.add(progress.counts);
        }
        let mut summary = Self {
            counts,
            network: network::read(engine).await?.map(|network| network.counts).unwrap_or_default(),
            quarantined: BTreeMap::new(),
            quarantined_first: Vec::new(),
            given_up: stack.shared.queues.given_up(),
            posted: 0,
            elapsed,
        };
        summary.posted = summary.network.posted.saturating_sub(posted_before);
        let mut after = None;
        loop {
            let (records, next) = quarantine::read(engine, after, 1_000).await?;
            for record in records {
                *summary.quarantined.entry(record.code.clone()).or_default() += 1;
                if summary.quarantined_first.len() < QUARANTINED_LISTED_MAX {
                    summary.quarantined_first.push(record);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(summary),
            }
        }
    }
}

/// Returns how many adoptions are posted.
pub async fn posted(stack: &Stack) -> Result<u64> {
    Ok(network::read(stack.engine()).await?.map_or(0, |network| network.counts.posted))
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_records(formatter)?;
        writeln!(formatter, "adoptions")?;
        writeln!(formatter, "  posted       {:>12}", self.network.posted)?;
        writeln!(formatter, "  total        {:>23}", self.network.posted_total.to_string())?;
        writeln!(formatter, "  held         {:>12}", self.network.held.values().sum::<u64>())?;
        for (reason, count) in self.network.held.iter().filter(|(_, count)| **count > 0) {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        if self.network.corrections + self.network.withdrawals > 0 {
            let NetworkCounts { corrections, withdrawals, .. } = self.network;
            writeln!(formatter, "  corrected    {corrections:>12}   taken back {withdrawals}")?;
        }
        for (queue, count) in &self.given_up {
            writeln!(
                formatter,
                "  GIVEN UP: {count} messages in {queue}; their functions' errors are above"
            )?;
        }
        if self.posted > 0 {
            self.write_speed(formatter)?;
        }
        Ok(())
    }
}

impl Summary {
    fn write_records(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { applied, duplicated, older, ambiguous, control, quarantined } = self.counts;
        let received = applied + duplicated + older + ambiguous + control + quarantined;
        writeln!(formatter, "records")?;
        writeln!(formatter, "  received     {received:>12}")?;
        writeln!(formatter, "  applied      {applied:>12}")?;
        writeln!(formatter, "  duplicated   {duplicated:>12}")?;
        if older + ambiguous > 0 {
            writeln!(formatter, "  older        {older:>12}")?;
            writeln!(formatter, "  ambiguous    {ambiguous:>12}   compare these with the source")?;
        }
        writeln!(formatter, "  control      {control:>12}   tombstones, heartbeats")?;
        writeln!(formatter, "  quarantined  {quarantined:>12}")?;
        for (reason, count) in &self.quarantined {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        for Quarantined { name, offset, code, message, .. } in &self.quarantined_first {
            writeln!(formatter, "    {}-{} @{offset}: {code}: {message}", name.topic, name.partition)?;
        }
        let listed = self.quarantined_first.len();
        match self.quarantined.values().sum::<usize>().saturating_sub(listed) {
            0 => Ok(()),
            more => writeln!(formatter, "    and {more} more"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count for reading, far below 2^52")]
    fn write_speed(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let speed = self.posted as f64 / seconds;
        writeln!(formatter, "speed")?;
        writeln!(formatter, "  posted       {:>12}   in {seconds:.2} s, {speed:.0} a second", self.posted)
    }
}

/// What the built-in capture is about: orders 57, 58 and 59 were read before order 55.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    account: AccountSequence,
    /// What the account received for orders 57, 58 and 59.
    received: Amount,
}

impl Incident {
    const ACCOUNT: &'static str = "D25122700018";
    const READ_TOO_EARLY: [u64; 3] = [57, 58, 59];

    /// Reads what the account of the incident received; `None` where the ledger has no such account and orders.
    pub async fn read(stack: &Stack) -> Result<Option<Self>> {
        let account: AccountSequence = Self::ACCOUNT.parse().expect("a constant account");
        let orders = Self::READ_TOO_EARLY.into_iter().filter_map(OrderId::new).collect();
        let versions = network::read(stack.engine()).await?.map(|network| network.versions);
        let Some(versions) = versions else { return Ok(None) };
        let mut received = Amount::ZERO;
        for at in heads::adoptions(stack.engine(), orders).await?.into_values() {
            let AdoptionState::Posted(posting) = &at.head.state else { return Ok(None) };
            received = received.checked_add(received_of(posting, &account, &versions))?;
        }
        Ok((received > Amount::ZERO).then_some(Self { account, received }))
    }
}

fn received_of(posting: &domain::Posting, account: &AccountSequence, versions: &Versions) -> Amount {
    let Some(version) = versions.numbered(posting.version) else { return Amount::ZERO };
    let legs = posting.legs(&version.policy);
    let of_account = legs.iter().filter(|leg| leg.recipient.is_allocated_to(account)).map(|leg| leg.amount);
    Amount::sum(of_account).expect("legs are parts of one total")
}

impl fmt::Display for Incident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "the ordering incident")?;
        writeln!(
            formatter,
            "  The snapshot read orders 57, 58 and 59 before order 55, which unlocks what they pay to"
        )?;
        writeln!(
            formatter,
            "  {}. Posted as they arrived, they would have paid that account nothing. It has",
            self.account
        )?;
        writeln!(
            formatter,
            "  received {}, because the ledger posts in the order of order numbers.",
            short(self.received)
        )
    }
}

/// Returns an amount with commas between thousands and without the zeros that say nothing; cents stay.
fn short(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = whole.len();
    let grouped: String = whole
        .char_indices()
        .flat_map(|(place, digit)| {
            let comma = (place > 0 && (digits - place).is_multiple_of(3)).then_some(',');
            comma.into_iter().chain([digit])
        })
        .collect();
    format!("{grouped}.{fraction:0<2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_in_a_sentence_has_commas_and_cents() {
        let short = |text: &str| short(text.parse().unwrap());
        assert_eq!(short("11534.67"), "11,534.67");
        assert_eq!(short("1234567.1234500000"), "1,234,567.12345");
        assert_eq!(short("7"), "7.00");
    }
}
