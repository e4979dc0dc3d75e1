//! A statement: what an account had at first, every line that changed it, and what it has at last (rules, section 12).
//!
//! Balances are those of closed dates: what was active on the date, of all lines up to its cut. A line counts from the
//! first closed date that includes it and on which it is active; where it came too late for closed dates, the
//! statement names them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use domain::heads::{BookSum, Line, LineDates};
use domain::log::Position;
use domain::{Amount, AmountOverflow, BusinessDate};
use serde::Serialize;

use crate::parts::Parts;
use crate::problem::Problem;

/// The closed dates of a period, with the one before it.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    /// The first date.
    pub(crate) from: BusinessDate,
    /// The last date.
    pub(crate) to: BusinessDate,
    /// The first date of all that was closed.
    pub(crate) first_closed: BusinessDate,
    /// Which date each cut of the period closed, and the cut of the date before it if that is closed.
    pub(crate) cuts: BTreeMap<Position, BusinessDate>,
}

impl Period {
    /// Returns what decides when a line counts; `None` where no date up to the end of the period includes it.
    ///
    /// What was included before the period counts as included on the date before it.
    fn dates_of(&self, line: &Line) -> Option<LineDates> {
        let (_, first_including) = self.cuts.range(line.position..).next()?;
        Some(LineDates {
            first_including: Some(*first_including),
            effective: line.effective_date,
            expire: line.expire_date,
        })
    }

    /// Returns what lines with these dates do to the balance in the period.
    fn effect(&self, dates: &LineDates) -> Effect {
        let counts_from = dates.effective.max(dates.first_including.unwrap_or(self.first_closed));
        let expires_from = |date: BusinessDate| {
            let expire = dates.expire.map(|expire| expire.max(date));
            expire.filter(|expire| *expire <= self.to)
        };
        if counts_from > self.to {
            return Effect::default();
        }
        if counts_from < self.from {
            let is_over = dates.expire.is_some_and(|expire| expire < self.from);
            let expires = expires_from(self.from).filter(|_| !is_over);
            return Effect { is_in_opening: !is_over, counts: None, expires };
        }
        let missed_first = dates.effective.max(self.first_closed);
        let missed_last = match dates.expire {
            Some(expire) => counts_from.previous().min(expire.previous()),
            None => counts_from.previous(),
        };
        let missed = (missed_first <= missed_last).then_some((missed_first, missed_last));
        let movement = if missed.is_some() { Movement::Late } else { Movement::BecameEffective };
        let counts = Some((counts_from, movement, missed));
        Effect { is_in_opening: false, counts, expires: expires_from(counts_from) }
    }
}

/// What lines with the same dates do to a balance in a period.
#[derive(Debug, Clone, Copy, Default)]
struct Effect {
    is_in_opening: bool,
    counts: Option<(BusinessDate, Movement, Option<(BusinessDate, BusinessDate)>)>,
    expires: Option<BusinessDate>,
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

impl Movement {
    const ALL: [(Self, &'static str); 3] =
        [(Self::BecameEffective, "BECAME_EFFECTIVE"), (Self::Late, "LATE"), (Self::Expired, "EXPIRED")];

    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
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

/// Where an entry stands in its statement: by its date, and then in the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    date: BusinessDate,
    page: u32,
    line: u32,
    movement: Movement,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}.{}", self.date, self.page, self.line, self.movement.name())
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(4, '.');
        let mut next = || parts.next().ok_or(());
        Ok(Self {
            date: next()?.parse().map_err(drop)?,
            page: next()?.parse().map_err(drop)?,
            line: next()?.parse().map_err(drop)?,
            movement: {
                let name = next()?;
                Movement::ALL.iter().find(|(_, known)| *known == name).ok_or(())?.0
            },
        })
    }
}

/// What a statement adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// What was active on the date before the period.
    pub(crate) opening: Amount,
    /// What became effective in time.
    pub(crate) became_effective: Amount,
    /// What came too late for closed dates.
    pub(crate) late: Amount,
    /// What expired: below zero, mostly.
    pub(crate) expired: Amount,
    /// How many entries there are.
    pub(crate) entries: u64,
}

impl Sums {
    /// Returns the sums of a period.
    pub(crate) fn of(parts: &Parts<'_>, period: &Period) -> Result<Self, AmountOverflow> {
        let mut sums = Self::default();
        for (dates, sum) in parts.books.values().flat_map(|book| &book.sums) {
            sums.add(period.effect(dates), sum)?;
        }
        for line in parts.pages.values().flatten() {
            let Some(dates) = period.dates_of(line) else { continue };
            let mut sum = BookSum { lines: 1, ..BookSum::default() };
            sum.totals.add(line)?;
            sums.add(period.effect(&dates), &sum)?;
        }
        Ok(sums)
    }

    fn add(&mut self, effect: Effect, sum: &BookSum) -> Result<(), AmountOverflow> {
        let amount = sum.totals.total()?;
        if effect.is_in_opening {
            self.opening = self.opening.checked_add(amount)?;
        }
        if let Some((_, movement, _)) = effect.counts {
            let moved = if movement == Movement::Late { &mut self.late } else { &mut self.became_effective };
            *moved = moved.checked_add(amount)?;
            self.entries += sum.lines;
        }
        if effect.expires.is_some() {
            self.expired = self.expired.checked_add(-amount)?;
            self.entries += sum.lines;
        }
        Ok(())
    }

    /// Returns what was active on the last date.
    pub(crate) fn closing(&self) -> Result<Amount, AmountOverflow> {
        Amount::sum([self.opening, self.became_effective, self.late, self.expired])
    }
}

/// So many rounds of opening books are as small as they can be; each further one opens twice as many.
const SMALL_ROUNDS: u32 = 8;

/// Returns the first `limit` entries of a period after a place, and the place after which more follow.
///
/// It opens the books that may hold the next entries, until no other book can.
pub(crate) async fn entries(
    parts: &mut Parts<'_>,
    period: &Period,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<Place>), Problem> {
    let mut found: BTreeMap<Place, Entry> = BTreeMap::new();
    let mut round = 0_u32;
    loop {
        for (number, lines) in std::mem::take(&mut parts.pages) {
            found.extend(entries_of(number, &lines, period, after));
        }
        let closed = closed_books(parts, period, after);
        let next = closed.first().map(|book| book.start);
        let is_sure = |place: &Place| next.is_none_or(|next| (place.date, place.page) < next);
        let sure = found.keys().take_while(|place| is_sure(place)).count();
        if sure > limit || closed.is_empty() {
            let more = found.len() > limit;
            let shown: Vec<(Place, Entry)> = found.into_iter().take(limit).collect();
            let next = shown.last().map(|(place, _)| *place).filter(|_| more);
            return Ok((shown.into_iter().map(|(_, entry)| entry).collect(), next));
        }
        let mut missing = (limit + 1 - sure) as u64;
        let at_least = 1_usize.checked_shl(round.saturating_sub(SMALL_ROUNDS)).unwrap_or(usize::MAX);
        let mut opened = Vec::new();
        for book in closed {
            if missing == 0 && opened.len() >= at_least {
                break;
            }
            missing = missing.saturating_sub(book.entries);
            opened.push(book.node);
        }
        parts.open(&opened).await?;
        round += 1;
    }
}

/// A book that has entries which are wanted.
struct ClosedBook {
    /// The first date and page on which one of them may be.
    start: (BusinessDate, u32),
    entries: u64,
    node: store::books::Node,
}

/// Returns the books with entries after a place, in the order in which these may begin.
fn closed_books(parts: &Parts<'_>, period: &Period, after: Option<Place>) -> Vec<ClosedBook> {
    let mut closed = Vec::new();
    for (node, book) in &parts.books {
        let pages = node.first_page()..=node.last_page();
        let (mut start, mut entries) = (None, 0);
        for (dates, sum) in &book.sums {
            let effect = period.effect(dates);
            for date in effect.counts.map(|(date, ..)| date).into_iter().chain(effect.expires) {
                let Some(page) = first_wanted(&pages, date, after) else { continue };
                start = start.into_iter().chain([(date, page)]).min();
                entries += sum.lines;
            }
        }
        closed.extend(start.map(|start| ClosedBook { start, entries, node: *node }));
    }
    closed.sort_by_key(|book| book.start);
    closed
}

/// Returns the first of these pages that may have an entry of a date after a place.
fn first_wanted(pages: &RangeInclusive<u32>, date: BusinessDate, after: Option<Place>) -> Option<u32> {
    match after {
        Some(after) if date < after.date || (date == after.date && *pages.end() < after.page) => None,
        Some(after) if date == after.date => Some((*pages.start()).max(after.page)),
        _ => Some(*pages.start()),
    }
}

/// Returns the entries that a page of lines gives, after a place.
fn entries_of<'a>(
    number: u32,
    lines: &'a [Line],
    period: &'a Period,
    after: Option<Place>,
) -> impl Iterator<Item = (Place, Entry)> + 'a {
    let of_line = move |(index, line): (u32, &'a Line)| {
        let effect = period.dates_of(line).map(|dates| period.effect(&dates)).unwrap_or_default();
        let amount = line.amount();
        let entry = move |date, movement, amount, missed| {
            let place = Place { date, page: number, line: index, movement };
            (place, Entry { date, movement, line: line.clone(), amount, missed })
        };
        let counts = effect.counts.map(|(date, movement, missed)| entry(date, movement, amount, missed));
        let expires = effect.expires.map(|date| entry(date, Movement::Expired, -amount, None));
        counts.into_iter().chain(expires)
    };
    (0_u32..).zip(lines).flat_map(of_line).filter(move |(place, _)| after.is_none_or(|after| *place > after))
}

#[cfg(test)]
mod tests {
    use domain::heads::{Closes, LineKind, LineLeg, Lines, Totals};
    use domain::{OrderId, Slot};
    use store::Engine as _;
    use store::heads::{AccountHead, LinePage, put_line_page};

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
            cuts: closed.map(|day| (u64::from(day) * 10, date(day))).collect(),
        }
    }

    /// Returns the balance on a date by the definition: active on it, of the lines up to its cut.
    fn balance(lines: &[Line], day: u16) -> i128 {
        let counts = |line: &&Line| line.position <= u64::from(day) * 10 && line.is_active_on(date(day));
        lines.iter().filter(counts).map(|line| line.amount().units()).sum()
    }

    /// Stores lines, three a page, with their books, and returns the statement of a period, seven entries at a time.
    async fn statement(engine: &store::MemoryEngine, lines: &[Line], period: &Period) -> (Sums, Vec<Entry>) {
        let owner: domain::Owner = "D1".parse().expect("an account");
        let mut closes = Closes::default();
        for day in 0..=40_u16 {
            closes.insert(u64::from(day) * 10, date(day));
        }
        let (stored, recent) = lines.split_at(lines.len() / 3 * 3);
        let page = |lines: &[Line]| LinePage { opening: Totals::default(), lines: lines.to_vec() };
        let pages: Vec<(u32, LinePage)> = (0..).zip(stored.chunks(3).map(page)).collect();
        let mut head = AccountHead::default();
        for line in lines {
            head.money.totals.add(line).expect("small");
        }
        let (count, page_count) = (lines.len() as u64, u32::try_from(pages.len()).expect("few"));
        head.money.lines = Lines { recent: recent.to_vec(), pages: page_count, count };
        let mut writes: Vec<store::Write> =
            pages.iter().map(|(number, page)| put_line_page(&owner, *number, page)).collect();
        let filled = BTreeMap::from([(owner.clone(), pages)]);
        writes.extend(store::books::completed(engine, &filled, &closes).await.expect("memory answers"));
        for written in engine.write_many(writes).await {
            let _ = written.expect("memory answers");
        }
        let mut parts = Parts::read(engine, &owner, &head).await.expect("whole");
        assert!(lines.len() < 48 || !parts.books.is_empty(), "a book stands for most lines");
        let sums = Sums::of(&parts, period).expect("small");
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (entries, next) = entries(&mut parts, period, after, 7).await.expect("whole");
            all.extend(entries);
            let Some(next) = next else { break };
            assert_eq!(next.to_string().parse(), Ok(next));
            after = Some(next);
            parts = Parts::read(engine, &owner, &head).await.expect("whole");
        }
        assert_eq!(all.len() as u64, sums.entries);
        let sum = |movement| {
            let of_it = all.iter().filter(|entry| entry.movement == movement);
            Amount::sum(of_it.map(|entry| entry.amount)).expect("small")
        };
        assert_eq!(sum(Movement::BecameEffective), sums.became_effective);
        assert_eq!((sum(Movement::Late), sum(Movement::Expired)), (sums.late, sums.expired));
        (sums, all)
    }

    #[tokio::test]
    async fn opening_and_lines_are_the_closing_balance_for_every_period() {
        let mut lines = Vec::new();
        let mut state = 7_u64;
        for _ in 0..200 {
            let mut next = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % below
            };
            let effective = u16::try_from(next(45)).expect("small");
            let expire = (next(3) > 0).then(|| effective + 1 + u16::try_from(next(20)).expect("small"));
            lines.push(line(1 + next(400), effective, expire, i128::from(next(1_000)) - 400));
        }
        lines.sort_by_key(|line| line.position);
        let engine = store::MemoryEngine::default();
        for from in [1, 2, 9, 20, 31, 39] {
            for to in [1, 5, 12, 30, 40].into_iter().filter(|to| from <= *to) {
                let period = period(from, to);
                let (sums, entries) = statement(&engine, &lines, &period).await;
                assert_eq!(sums.opening.units(), balance(&lines, from - 1), "{from} {to}");
                assert_eq!(sums.closing().expect("small").units(), balance(&lines, to), "{from} {to}");
                let moved: i128 = entries.iter().map(|entry| entry.amount.units()).sum();
                assert_eq!(sums.opening.units() + moved, balance(&lines, to), "{from} {to}");
                assert!(entries.iter().all(|entry| (date(from)..=date(to)).contains(&entry.date)));
                assert!(entries.is_sorted_by_key(|entry| (entry.date, entry.line.position)));
            }
        }
    }

    #[tokio::test]
    async fn what_came_too_late_names_the_dates_that_it_would_have_changed() {
        let engine = store::MemoryEngine::default();
        let (_, entries) = statement(&engine, &[line(95, 4, None, 7)], &period(8, 12)).await;
        assert_eq!((entries[0].date, entries[0].movement), (date(10), Movement::Late));
        assert_eq!(entries[0].missed, Some((date(4), date(9))));
    }

    #[tokio::test]
    async fn what_was_over_before_it_came_moves_nothing_but_is_shown() {
        let engine = store::MemoryEngine::default();
        let (sums, entries) = statement(&engine, &[line(95, 4, Some(6), 7)], &period(8, 12)).await;
        let movements: Vec<Movement> = entries.iter().map(|entry| entry.movement).collect();
        assert_eq!(movements, [Movement::Late, Movement::Expired]);
        assert_eq!(entries[0].missed, Some((date(4), date(5))));
        assert!(sums.closing().expect("small").is_zero());
    }
}
