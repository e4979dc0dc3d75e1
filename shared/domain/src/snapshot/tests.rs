//! Compares what is carried from date to date with naive sums over all lines of random histories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::heads::{Line, lines_of};
use crate::log::{AdjustmentTerms, Cause, Correction, Entry, Page, PageHash, Position, UplineChange};
use crate::{
    AccountSequence, Amount, BusinessDate, Link, OrderId, Owner, Posting, Ratio, Slot, SystemAccount,
    UnlockedLegs, VersionTerms, Versions,
};

const ACCOUNTS: u8 = 9;

/// Something that happens to a ledger.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// An adoption is posted, dated so many days from the date that closes next.
    Post { account: u8, trees: u32, price: u32, days: i16, mask: u32 },
    /// A posted adoption is corrected.
    Correct { which: usize, trees: u32, days: i16, mask: u32 },
    /// A posted adoption is taken back.
    Withdraw { which: usize },
    /// An amount is moved by hand.
    Adjust { giver: u8, receiver: u8, price: u32, days: i16, lasts: Option<u16> },
    /// An account hangs elsewhere.
    Move { account: u8, to: Option<u8> },
    /// A version with other terms is introduced.
    Introduce { days: i16, term_years: u8, never_expires: bool },
    /// The page ends.
    Page,
    /// So many dates close.
    Close { dates: u16 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let account = 0..ACCOUNTS;
    let days = prop_oneof![8 => -3..3_i16, 1 => -900..-1_i16, 1 => 1..40_i16];
    let act = prop_oneof![
        8 => (account.clone(), 1..5_u32, 1..50_000_u32, days.clone(), any::<u32>())
            .prop_map(|(account, trees, price, days, mask)| Act::Post { account, trees, price, days, mask }),
        2 => (any::<usize>(), 1..5_u32, days.clone(), any::<u32>())
            .prop_map(|(which, trees, days, mask)| Act::Correct { which, trees, days, mask }),
        2 => any::<usize>().prop_map(|which| Act::Withdraw { which }),
        1 => (account.clone(), account.clone(), 1..90_000_u32, days.clone(), prop::option::of(0..500_u16))
            .prop_map(|(giver, receiver, price, days, lasts)| Act::Adjust { giver, receiver, price, days, lasts }),
        3 => (account.clone(), prop::option::of(account)).prop_map(|(account, to)| Act::Move { account, to }),
        1 => (days, 1..4_u8, any::<bool>())
            .prop_map(|(days, term_years, never_expires)| Act::Introduce { days, term_years, never_expires }),
        4 => Just(Act::Page),
        4 => prop_oneof![4 => 1..4_u16, 1 => 100..400_u16].prop_map(|dates| Act::Close { dates }),
    ];
    prop::collection::vec(act, 10..60)
}

fn user(number: u8) -> AccountSequence {
    format!("A{number}").parse().expect("an account")
}

/// Returns the account that hands over: a user, or one of the system accounts.
fn owner(number: u8) -> Owner {
    match number {
        0 => Owner::System(SystemAccount::Headquarters),
        1 => Owner::System(SystemAccount::Operation),
        _ => Owner::User(user(number)),
    }
}

fn shifted(date: BusinessDate, days: i16) -> BusinessDate {
    match u16::try_from(days) {
        Ok(days) => date.plus_days(days),
        Err(_) => date.minus_days(days.unsigned_abs()),
    }
}

/// A ledger made of pages, and the two ways to sum it up.
struct History {
    versions: Versions,
    pages: Vec<Page>,
    entries: Vec<Entry>,
    posted: BTreeMap<OrderId, Posting>,
    links: BTreeMap<AccountSequence, Link>,
    orders: u64,
    next_date: BusinessDate,
    index: BTreeMap<(Turn, BusinessDate), BTreeSet<Position>>,
    state: CarriedState,
    closed: Option<PreviousClose>,
}

impl History {
    fn new() -> Self {
        Self {
            versions: Versions::starting("{}").expect("a policy"),
            pages: Vec::new(),
            entries: Vec::new(),
            posted: BTreeMap::new(),
            links: BTreeMap::new(),
            orders: 0,
            next_date: "2028-02-26".parse().expect("a date"),
            index: BTreeMap::new(),
            state: CarriedState::default(),
            closed: None,
        }
    }

    fn posting(&self, account: AccountSequence, trees: u32, price: u32, days: i16, mask: u32) -> Posting {
        let adoption_date = shifted(self.next_date.previous(), days);
        let version = self.versions.in_force(adoption_date);
        let mut chain = vec![account.clone()];
        while let Some(Link::Under(referrer)) = self.links.get(&chain[chain.len() - 1])
            && !chain.contains(referrer)
            && chain.len() <= usize::from(version.policy.level_count())
        {
            chain.push(referrer.clone());
        }
        chain.remove(0);
        let mut unlocked = UnlockedLegs::default();
        for (level, _) in (1_u8..).zip(&chain).filter(|(level, _)| mask & (1 << level) != 0) {
            unlocked.set(Slot::TeamLevel(level));
        }
        if !chain.is_empty() && mask & 1 != 0 {
            unlocked.set(Slot::TeamBonus(1));
        }
        let price = Amount::from_units(i128::from(price) * 1_234_567_891).expect("small");
        let total = price.times(trees).expect("small");
        let (number, province) = (version.terms.number, None);
        Posting {
            account,
            trees,
            total,
            adoption_date,
            version: number,
            province,
            city: None,
            chain,
            unlocked,
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Post { account, trees, price, days, mask } => {
                self.orders += 1;
                let order = OrderId::new(self.orders).expect("an order");
                let posting = self.posting(user(account), trees, price, days, mask);
                self.posted.insert(order, posting.clone());
                let posting = Box::new(posting);
                self.entries.push(Entry::Posted { order, posting, first_order: None, cause: Cause::Row });
            }
            Act::Correct { which, trees, days, mask } => {
                let Some((order, was)) = self.pick(which) else { return };
                let is = self.posting(was.account.clone(), trees, 777, days, mask);
                self.posted.insert(order, is.clone());
                let correction = Correction { order, was, is, cause: Cause::Row };
                self.entries.push(Entry::Corrected(Box::new(correction)));
            }
            Act::Withdraw { which } => {
                let Some((order, was)) = self.pick(which) else { return };
                self.posted.remove(&order);
                let posting = Box::new(was);
                self.entries.push(Entry::Withdrawn { order, posting, first_order: None, cause: Cause::Row });
            }
            Act::Adjust { giver, receiver, price, days, lasts } => {
                let effective_date = shifted(self.next_date, days);
                let terms = AdjustmentTerms {
                    giver: owner(giver),
                    receiver: owner(receiver),
                    amount: Amount::from_units(i128::from(price) * 1_000_000_007).expect("small"),
                    effective_date,
                    expire_date: lasts.map(|days| effective_date.plus_days(days)),
                    reference: "a test".to_owned(),
                };
                self.entries.push(Entry::Adjusted(Box::new(terms)));
            }
            Act::Move { account, to } => {
                let account = user(account);
                let before = self.links.get(&account).cloned().unwrap_or_default();
                let after = to.map_or(Link::Root, |to| Link::Under(user(to)));
                self.links.insert(account.clone(), after.clone());
                let change = UplineChange { account, before, after, first_order: None };
                self.entries.push(Entry::Upline(change));
            }
            Act::Introduce { days, term_years, never_expires } => {
                self.introduce(days, term_years, never_expires);
            }
            Act::Page => self.end_page(),
            Act::Close { dates } => (0..dates).for_each(|_| self.close()),
        }
    }

    fn pick(&self, which: usize) -> Option<(OrderId, Posting)> {
        let place = which.checked_rem(self.posted.len())?;
        self.posted.iter().nth(place).map(|(order, posting)| (*order, posting.clone()))
    }

    fn introduce(&mut self, days: i16, term_years: u8, never_expires: bool) {
        let never = if never_expires { r#"["OPERATION", "HEADQUARTERS"]"# } else { "[]" };
        let terms = VersionTerms {
            number: u32::try_from(self.versions.iter().count()).expect("few") + 1,
            from: Some(shifted(self.next_date, days)),
            until: None,
            reason: "a test".to_owned(),
            introduced_by: "a test".to_owned(),
            policy: format!(r#"{{"term_years": {term_years}, "never_expires": {never}}}"#),
        };
        self.versions.introduce(terms.clone()).expect("a version");
        self.entries.push(Entry::VersionIntroduced(Box::new(terms)));
    }

    fn end_page(&mut self) {
        let position = self.pages.len() as u64 + 1;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            for (turn, date) in turns_of(entry, &self.versions) {
                self.index.entry((turn, date)).or_default().insert(position);
            }
        }
        self.pages.push(Page { position, previous: PageHash::default(), time_ms: 0, entries });
    }

    /// Closes the next date in both ways, and compares them.
    fn close(&mut self) {
        self.end_page();
        let window = Window { date: self.next_date, cut: self.pages.len() as u64, previous: self.closed };
        let indexed =
            [Turn::Begins, Turn::Ends].into_iter().filter_map(|turn| self.index.get(&(turn, window.date)));
        let indexed: BTreeSet<Position> =
            indexed.flatten().copied().filter(|position| *position <= window.previous_cut()).collect();
        let new = window.previous_cut() + 1..=window.cut;
        let mut changes = DayChanges::default();
        for position in indexed.into_iter().chain(new) {
            let page = &self.pages[usize::try_from(position).expect("small") - 1];
            changes.add(page, &window, &self.versions).expect("small");
        }
        let before: Vec<CarriedPage> = self.state.pages().to_vec();
        self.state.apply(&changes).expect("small");
        self.state.finish();
        for (page, before) in self.state.pages().iter().zip(before) {
            assert!(page.is_changed() || page.accounts().eq(before.accounts()), "a change is noted");
            assert_eq!(
                CarriedPage::of(page.accounts().cloned().collect()).accounts().count(),
                page.accounts().count()
            );
        }
        let lines = self.lines();
        self.compare_amounts(&window, &lines);
        self.compare_teams(&window);
        Self::compare_restated(&window, &lines, &changes);
        if changes.is_empty() && self.closed.is_some() {
            assert!(self.state.pages().iter().all(|page| !page.is_changed()), "nothing changed");
        }
        self.state.carry_over();
        let first_date = self.closed.map_or(window.date, |closed| closed.first_date);
        self.closed = Some(PreviousClose { first_date, date: window.date, cut: window.cut });
        self.next_date = self.next_date.next();
    }

    fn lines(&self) -> Vec<(Owner, Line)> {
        let entries = self.pages.iter().flat_map(|page| page.entries.iter().map(move |entry| (page, entry)));
        entries.flat_map(|(page, entry)| lines_of(entry, page.position, 0, 0, &self.versions)).collect()
    }

    fn compare_amounts(&self, window: &Window, lines: &[(Owner, Line)]) {
        let mut naive: BTreeMap<Owner, Amount> = BTreeMap::new();
        for (owner, line) in lines.iter().filter(|(_, line)| line.is_active_on(window.date)) {
            let sum = naive.entry(owner.clone()).or_default();
            *sum = sum.checked_add(line.amount()).expect("small");
        }
        naive.retain(|_, amount| !amount.is_zero());
        let carried = self.state.accounts().filter(|account| !account.effective.is_zero());
        let carried: BTreeMap<Owner, Amount> =
            carried.map(|account| (account.owner.clone(), account.effective)).collect();
        assert_eq!(carried, naive, "on {}", window.date);
        let all = Amount::sum(naive.values().copied()).expect("small");
        match Totals::of(&self.state) {
            Err(error) => {
                assert!(
                    matches!(error, Unpublishable::Negative { headquarters } if headquarters < Amount::ZERO)
                );
            }
            Ok(totals) => {
                assert_eq!(totals.network, all, "rows sum to the legs that are active");
                let rows: Vec<Row> =
                    self.state.accounts().filter_map(|account| totals.row_of(account)).collect();
                assert_eq!(rows.len() as u64, totals.rows);
                let sum = Amount::sum(rows.iter().map(|row| row.effective)).expect("small");
                assert_eq!((sum, totals.users.checked_add(totals.system)), (all, Ok(all)));
                let ratios = rows.iter().try_fold(Ratio::ZERO, |sum, row| sum.checked_add(row.ratio));
                assert_eq!(ratios, Some(Ratio::ONE));
                let mut ranks: Vec<(Amount, String)> =
                    rows.iter().map(|row| (-row.effective, row.owner.to_string())).collect();
                ranks.sort();
                let ranked = ranked(&self.state, &totals);
                let ranked = ranked.into_iter().map(|(owner, amount)| (-amount, owner.to_string()));
                assert_eq!(ranked.collect::<Vec<_>>(), ranks);
            }
        }
    }

    fn compare_teams(&self, window: &Window) {
        type Team<Directs> = ([u64; TEAM_LEVELS], Directs, Amount);
        let mut naive: BTreeMap<AccountSequence, Team<BTreeSet<&AccountSequence>>> = BTreeMap::new();
        for posting in self.posted.values().filter(|posting| posting.adoption_date < window.date) {
            let mut way = vec![&posting.account];
            while let Some(Link::Under(above)) = self.links.get(way[way.len() - 1])
                && !way.contains(&above)
                && way.len() <= TEAM_LEVELS
            {
                let (levels, directs, contribution) = naive.entry(above.clone()).or_default();
                levels[way.len() - 1] += u64::from(posting.trees);
                *contribution = contribution.checked_add(posting.total).expect("small");
                if way.len() == 1 {
                    directs.insert(&posting.account);
                }
                way.push(above);
            }
        }
        let naive: BTreeMap<AccountSequence, Team<u32>> = naive
            .into_iter()
            .map(|(account, (levels, directs, contribution))| {
                (account, (levels, u32::try_from(directs.len()).expect("few"), contribution))
            })
            .collect();
        let carried = self.state.accounts().filter(|account| account.team != TeamTrees::default());
        let carried: BTreeMap<AccountSequence, Team<u32>> = carried
            .map(|account| {
                let Owner::User(user) = &account.owner else { panic!("a system account has no team") };
                let team = &account.team;
                (user.clone(), (team.levels(), team.direct_adopters, team.contribution))
            })
            .collect();
        assert_eq!(carried, naive, "teams on {}", window.date);
    }

    fn compare_restated(window: &Window, lines: &[(Owner, Line)], changes: &DayChanges) {
        let restated = changes.restated().expect("small");
        let Some(previous) = window.previous else {
            assert_eq!(restated, []);
            return;
        };
        let late: Vec<&(Owner, Line)> =
            lines.iter().filter(|(_, line)| line.position > previous.cut).collect();
        if late.is_empty() {
            assert_eq!(restated, []);
            return;
        }
        let mut date = previous.first_date;
        while date <= previous.date {
            let mut naive: BTreeMap<&Owner, Amount> = BTreeMap::new();
            for (owner, line) in late.iter().filter(|(_, line)| line.is_active_on(date)) {
                let sum = naive.entry(owner).or_default();
                *sum = sum.checked_add(line.amount()).expect("small");
            }
            naive.retain(|_, amount| !amount.is_zero());
            let listed = restated.iter().filter(|run| run.first_date <= date && date <= run.last_date);
            let listed: BTreeMap<&Owner, Amount> = listed.map(|run| (&run.owner, run.difference)).collect();
            assert_eq!(listed, naive, "restated on {date} by the close of {}", window.date);
            date = date.next();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_carried_state_equals_the_sum_of_all_lines_on_every_date(acts in acts()) {
        let mut history = History::new();
        for act in acts {
            history.act(act);
        }
        history.close();
    }
}

#[test]
fn what_begins_on_a_leap_day_is_carried_to_the_day_before_it_ends() {
    let mut history = History::new();
    // Effective on 28 and 29 February and on 1 March; the first two end on 28 February 2030.
    for days in [2, 3, 4] {
        history.act(Act::Post { account: 3, trees: 1, price: 10_000, days, mask: 0 });
    }
    let personal = |history: &History| {
        let account = history.state.account(&Owner::User(user(3)));
        account.map_or(Amount::ZERO, |account| account.effective)
    };
    let mut amounts = BTreeMap::new();
    while history.next_date <= "2030-03-02".parse().expect("a date") {
        let date = history.next_date;
        history.close();
        let amount = personal(&history);
        if amounts.values().last() != Some(&amount) {
            amounts.insert(date.to_string(), amount);
        }
    }
    assert_eq!(
        amounts.keys().collect::<Vec<_>>(),
        ["2028-02-26", "2028-02-28", "2028-02-29", "2028-03-01", "2030-02-28", "2030-03-01"]
    );
}

#[test]
fn where_no_account_has_anything_headquarters_has_all_of_it() {
    let totals = Totals::of(&CarriedState::default()).expect("nothing is below zero");
    assert_eq!((totals.rows, totals.network), (1, Amount::ZERO));
    let headquarters = Owner::System(SystemAccount::Headquarters);
    let row = totals.row(&headquarters, Amount::ZERO).expect("it always has a row");
    assert_eq!((row.effective, row.ratio), (Amount::ZERO, Ratio::ONE));
}

#[test]
fn headquarters_row_takes_what_accounts_below_zero_lack_and_waits_where_it_cannot() {
    let amount = |text: &str| text.parse::<Amount>().expect("an amount");
    let state_with = |amounts: &[(&str, &str)]| {
        let mut state = CarriedState::default();
        let amounts = amounts.iter().map(|(name, text)| (name.parse().expect("an owner"), amount(text)));
        state.apply(&DayChanges::of_amounts(amounts)).expect("small");
        state
    };
    let state = state_with(&[("HEADQUARTERS", "10"), ("A", "-4"), ("B", "3"), ("C", "2"), ("CITY", "1")]);
    let totals = Totals::of(&state).expect("not below zero");
    assert_eq!((totals.headquarters, totals.network), (amount("6"), amount("12")));
    assert_eq!((totals.users, totals.system, totals.rows), (amount("5"), amount("7"), 4));
    assert_eq!(totals.headquarters_ratio.to_string(), "0.500000000000000001");
    let a: Owner = "A".parse().expect("an owner");
    assert_eq!(totals.row(&a, amount("-4")), None);

    let state = state_with(&[("HEADQUARTERS", "3"), ("A", "-4"), ("B", "3")]);
    assert_eq!(Totals::of(&state), Err(Unpublishable::Negative { headquarters: amount("-1") }));
}

#[test]
fn pages_split_when_they_are_full_and_keep_every_account() {
    let mut state = CarriedState::default();
    let amounts = (0..3_000).map(|number| {
        let owner: Owner = format!("D{number}").parse().expect("an owner");
        (owner, "1".parse().expect("an amount"))
    });
    let changes = DayChanges::of_amounts(amounts);
    state.apply(&changes).expect("small");
    state.finish();
    assert_eq!((state.pages().len(), state.count()), (8, 3_001));
    assert!(state.pages().iter().all(|page| page.is_changed() && page.accounts().count() < 700));
    assert!(changes.amounts.keys().all(|owner| state.account(owner).is_some()));
    let pages = state.pages().iter().map(|page| CarriedPage::of(page.accounts().cloned().collect()));
    let mut read = CarriedState::of(state.pages_log2(), pages.collect());
    state.carry_over();
    assert_eq!(read, state);
    read.finish();
    assert_eq!(read, state, "nothing is left to do");
}
