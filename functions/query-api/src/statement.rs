//! A statement: what an account had at first, every line that changed it, and what it has at last (rules, section 12).
//!
//! Balances are those of closed dates: what was active on the date, of all lines up to its cut. A line counts from the
//! first closed date that includes it and on which it is active; where it came too late for closed dates, the
//! statement names them.

use std::collections::BTreeMap;

use domain::heads::Line;
use domain::log::Position;
use domain::{Amount, AmountOverflow, BusinessDate};
use serde::Serialize;

/// The closed dates of a period, with the one before it.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    /// The first date.
    pub(crate) from: BusinessDate,
    /// The last date.
    pub(crate) to: BusinessDate,
    /// The first date of all that was closed.
    pub(crate) first_closed: BusinessDate,
    /// The cut of each closed date of the period, and of the date before it if that is closed.
    pub(crate) cuts: BTreeMap<BusinessDate, Position>,
}

/// What a line does to a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Movement {
    /// Its amount became effective.
    BecameEffective,
    /// It came too late for closed dates, and counts from here on.
    Late,
    /// Its amount expired.
    Expired,
}

/// A movement of a balance.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The date on which it counts.
    pub(crate) date: BusinessDate,
    /// What happened.
    pub(crate) movement: Movement,
    /// The line that it comes from.
    pub(crate) line: Line,
    /// By how much the balance rises; it falls where this is negative.
    pub(crate) amount: Amount,
    /// The closed dates that it would have changed.
    pub(crate) missed: Option<(BusinessDate, BusinessDate)>,
}

/// A statement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statement {
    /// What was active on the date before the period.
    pub(crate) opening: Amount,
    /// The movements, in order.
    pub(crate) entries: Vec<Entry>,
    /// What was active on the last date.
    pub(crate) closing: Amount,
}

/// Returns the statement of these lines, which are all of an account's.
pub(crate) fn statement(lines: Vec<Line>, period: &Period) -> Result<Statement, AmountOverflow> {
    let mut statement = Statement::default();
    let opening_date = period.from.previous();
    let opening_cut = period.cuts.get(&opening_date).copied().unwrap_or(0);
    for line in lines {
        let amount = line.amount();
        let is_old = line.position <= opening_cut;
        if is_old && line.effective_date <= opening_date {
            if line.is_active_on(opening_date) {
                statement.opening = statement.opening.checked_add(amount)?;
                statement.entries.extend(expiry(&line, amount, period.from, period.to));
            }
            continue;
        }
        let Some(entry) = entry(&line, amount, is_old, period) else { continue };
        statement.entries.extend(expiry(&line, amount, entry.date, period.to));
        statement.entries.push(entry);
    }
    statement
        .entries
        .sort_by_key(|entry| (entry.date, entry.line.position, entry.line.index, entry.movement));
    let moved = statement.entries.iter().map(|entry| entry.amount);
    statement.closing = Amount::sum(std::iter::once(statement.opening).chain(moved))?;
    Ok(statement)
}

/// Returns when and how a line that does not count at the opening begins to count, if it does within the period.
fn entry(line: &Line, amount: Amount, is_old: bool, period: &Period) -> Option<Entry> {
    let first_including = if is_old {
        period.from
    } else {
        let mut dates = period.cuts.range(period.from..=period.to);
        *dates.find(|(_, cut)| line.position <= **cut)?.0
    };
    let date = line.effective_date.max(first_including);
    if date > period.to {
        return None;
    }
    let missed_first = line.effective_date.max(period.first_closed);
    let missed_last = match line.expire_date {
        Some(expire) => date.previous().min(expire.previous()),
        None => date.previous(),
    };
    let missed = (!is_old && missed_first <= missed_last).then_some((missed_first, missed_last));
    let movement = if missed.is_some() { Movement::Late } else { Movement::BecameEffective };
    Some(Entry { date, movement, line: line.clone(), amount, missed })
}

/// Returns the end of a line that counts from `date` on, if it comes within the period.
fn expiry(line: &Line, amount: Amount, date: BusinessDate, to: BusinessDate) -> Option<Entry> {
    let expire = line.expire_date?.max(date);
    (expire <= to).then(|| Entry {
        date: expire,
        movement: Movement::Expired,
        line: line.clone(),
        amount: -amount,
        missed: None,
    })
}

#[cfg(test)]
mod tests {
    use domain::heads::{LineKind, LineLeg};
    use domain::{OrderId, Slot};

    use super::*;

    fn date(day: u16) -> BusinessDate {
        BusinessDate::new(2026, 1, 1).expect("a date").plus_days(day)
    }

    fn line(position: Position, effective: u16, expire: Option<u16>, units: i128) -> Line {
        Line {
            position,
            index: 0,
            time_ms: 0,
            kind: LineKind::Posted,
            is_of_system: false,
            order: OrderId::new(position),
            adopter: None,
            effective_date: date(effective),
            expire_date: expire.map(date),
            legs: vec![LineLeg {
                slot: Slot::Personal,
                would_be: None,
                is_unallocated: false,
                amount: Amount::from_units(units).expect("small"),
            }],
        }
    }

    /// Returns the period of these days, where day d is closed at cut 10 d, days 0 to 40.
    fn period(from: u16, to: u16) -> Period {
        let closed = from.saturating_sub(1)..=to;
        Period {
            from: date(from),
            to: date(to),
            first_closed: date(0),
            cuts: closed.map(|day| (date(day), u64::from(day) * 10)).collect(),
        }
    }

    /// Returns the balance on a date by the definition: active on it, of the lines up to its cut.
    fn balance(lines: &[Line], day: u16) -> i128 {
        let counts = |line: &&Line| line.position <= u64::from(day) * 10 && line.is_active_on(date(day));
        lines.iter().filter(counts).map(|line| line.amount().units()).sum()
    }

    #[test]
    fn opening_and_lines_are_the_closing_balance_for_every_period() {
        let mut lines = Vec::new();
        let mut state = 7_u64;
        for _ in 0..120 {
            let mut next = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % below
            };
            let effective = u16::try_from(next(45)).expect("small");
            let expire = (next(3) > 0).then(|| effective + 1 + u16::try_from(next(20)).expect("small"));
            lines.push(line(1 + next(400), effective, expire, i128::from(next(1_000)) - 400));
        }
        for from in 1..40 {
            for to in from..=40 {
                let statement = statement(lines.clone(), &period(from, to)).expect("small");
                assert_eq!(statement.opening.units(), balance(&lines, from - 1), "{from} {to}");
                assert_eq!(statement.closing.units(), balance(&lines, to), "{from} {to}");
                assert!(statement.entries.iter().all(|entry| (date(from)..=date(to)).contains(&entry.date)));
            }
        }
    }

    #[test]
    fn what_came_too_late_names_the_dates_that_it_would_have_changed() {
        let statement = statement(vec![line(95, 4, None, 7)], &period(8, 12)).expect("small");
        let entry = &statement.entries[0];
        assert_eq!((entry.date, entry.movement), (date(10), Movement::Late));
        assert_eq!(entry.missed, Some((date(4), date(9))));
    }

    #[test]
    fn what_was_over_before_it_came_moves_nothing_but_is_shown() {
        let statement = statement(vec![line(95, 4, Some(6), 7)], &period(8, 12)).expect("small");
        assert_eq!(statement.entries.len(), 2);
        assert_eq!(
            (statement.entries[0].movement, statement.entries[1].movement),
            (Movement::Late, Movement::Expired)
        );
        assert_eq!(statement.entries[0].missed, Some((date(4), date(5))));
        assert!(statement.closing.is_zero());
    }
}
