//! Reads an account's lines, page by page.
//!
//! The latest lines stand in the account's head, the others in numbered pages. A place in them stays what it is:
//! when the lines of a head are moved, they become the page with the next number.
//!
//! Touches: `Ledger` (reads).

use std::fmt;
use std::str::FromStr;

use domain::heads::{Line, LineLeg};
use domain::{BusinessDate, LegType, OrderId, Owner};
use store::Engine;
use store::heads::{self, AccountHead};

use crate::problem::Problem;
use crate::view::LegView;

/// How many pages one answer reads at most: a user's page is one read unit, a system account's is four.
const USER_PAGES_MAX: usize = 20;
/// How many pages one answer reads at least, however large the account's head is.
const USER_PAGES_MIN: usize = 4;
/// In the head, an order of its own takes two bytes at most where few orders of others lie between, and 4,096 bytes are
/// a read unit.
const OWN_ORDERS_PER_UNIT: usize = 2_048;
const SYSTEM_PAGES_MAX: usize = 5;

/// Which records are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    /// Of this type.
    pub(crate) leg_type: Option<LegType>,
    /// Of this order.
    pub(crate) order: Option<OrderId>,
    /// Active on this date, by the account that has them.
    pub(crate) active_on: Option<BusinessDate>,
}

impl Filter {
    fn takes(&self, owner: &Owner, line: &Line, leg: &LineLeg) -> bool {
        self.order.is_none_or(|order| line.order == Some(order))
            && self.active_on.is_none_or(|date| line.is_active_on(date))
            && self.leg_type.is_none_or(|wanted| LegView::of_line(owner, line, leg).r#type == wanted.name())
    }

    fn is_set(&self) -> bool {
        self.leg_type.is_some() || self.order.is_some() || self.active_on.is_some()
    }
}

/// A leg's place: its page of lines, its line, itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    page: u32,
    line: u32,
    leg: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.page, self.line, self.leg)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.splitn(3, '.').map(|number| number.parse::<u32>().map_err(drop));
        let mut next = || numbers.next().ok_or(())?;
        Ok(Self { page: next()?, line: next()?, leg: next()? })
    }
}

/// A page of legs.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The legs, each with its line.
    pub(crate) legs: Vec<(Line, LineLeg)>,
    /// The last place that was looked at, where more may follow.
    pub(crate) next: Option<Place>,
}

/// Returns the legs of an account that the filter takes, after `after` in the direction asked for.
///
/// It looks at so many pages at most; where that was not enough, fewer legs come with a place to go on from.
pub(crate) async fn find(
    engine: &dyn Engine,
    owner: &Owner,
    head: &AccountHead,
    filter: &Filter,
    after: Option<Place>,
    descending: bool,
    limit: usize,
) -> Result<Found, Problem> {
    let recent = head.money.lines.pages;
    let start = after.map_or(if descending { recent } else { 0 }, |place| place.page.min(recent));
    let wanted = pages_wanted(owner, head, filter, limit);
    let range = if descending {
        let first = start.saturating_sub(wanted);
        (first, start.min(recent.saturating_sub(1)).saturating_add(1).min(recent))
    } else {
        (start, start.saturating_add(wanted).min(recent))
    };
    let mut walk = Walk { owner, filter, after, descending, limit, found: Found::default(), last: None };
    if descending && start == recent && walk.take_page(recent, &head.money.lines.recent) {
        return Ok(walk.found);
    }
    let stored = heads::line_pages(engine, owner, range.0, range.1).await?;
    if stored.len() != (range.1 - range.0) as usize {
        return Err(Problem::inconsistent(format!("a page of lines of {owner} is missing")));
    }
    let numbered = (range.0..range.1).zip(&stored);
    let is_full = if descending {
        numbered.rev().any(|(number, page)| walk.take_page(number, &page.lines))
    } else {
        numbered.into_iter().any(|(number, page)| walk.take_page(number, &page.lines))
    };
    if is_full {
        return Ok(walk.found);
    }
    let is_last = if descending { range.0 == 0 } else { range.1 == recent };
    if is_last {
        if !descending {
            walk.take_page(recent, &head.money.lines.recent);
        }
        return Ok(walk.found);
    }
    walk.found.next = walk.last;
    Ok(walk.found)
}

/// Returns how many pages to read: as many as probably hold enough lines.
fn pages_wanted(owner: &Owner, head: &AccountHead, filter: &Filter, limit: usize) -> u32 {
    let pages_max = match owner {
        Owner::User(_) => {
            let head_units = head.node.orders.len() / OWN_ORDERS_PER_UNIT;
            USER_PAGES_MAX.saturating_sub(head_units).max(USER_PAGES_MIN)
        }
        Owner::System(_) => SYSTEM_PAGES_MAX,
    };
    let lines = &head.money.lines;
    let stored = usize::try_from(lines.count).unwrap_or(usize::MAX).saturating_sub(lines.recent.len());
    let per_page = (stored / lines.pages.max(1) as usize).max(1);
    let wanted = if filter.is_set() { pages_max } else { (limit / per_page + 2).min(pages_max) };
    u32::try_from(wanted).expect("a few pages")
}

struct Walk<'a> {
    owner: &'a Owner,
    filter: &'a Filter,
    after: Option<Place>,
    descending: bool,
    limit: usize,
    found: Found,
    last: Option<Place>,
}

impl Walk<'_> {
    /// Takes what is wanted of a page. Returns whether the answer is full and more may follow.
    fn take_page(&mut self, page: u32, lines: &[Line]) -> bool {
        let legs = (0_u32..).zip(lines).flat_map(|(index, line)| {
            (0_u32..)
                .zip(&line.legs)
                .map(move |(leg_index, leg)| (Place { page, line: index, leg: leg_index }, line, leg))
        });
        let mut legs: Vec<_> = legs.collect();
        if self.descending {
            legs.reverse();
        }
        for (place, line, leg) in legs {
            let is_passed = match self.after {
                Some(after) if self.descending => place >= after,
                Some(after) => place <= after,
                None => false,
            };
            if is_passed {
                continue;
            }
            if self.filter.takes(self.owner, line, leg) {
                if self.found.legs.len() == self.limit {
                    self.found.next = self.last;
                    return true;
                }
                self.found.legs.push((line.clone(), leg.clone()));
            }
            self.last = Some(place);
        }
        false
    }
}
