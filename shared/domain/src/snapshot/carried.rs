//! What is carried from one closed date to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::changes::{DayChanges, TreesChange};
use super::placement::Placement;
use super::teams::{Member, TeamTrees, teams};
use crate::{AccountSequence, Amount, AmountOverflow, Link, Owner, SystemAccount};

/// A page has at most about so many accounts; beyond it, every page is split in two.
const PAGE_ACCOUNTS_MAX: usize = 700;
/// Why a number of trees is never below zero.
const TREES_FIT: &str = "only trees that were counted are taken back, and no network has 2^64 of them";

/// An account on a closed date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedAccount {
    /// The account.
    pub owner: Owner,
    /// What is active of all its legs. HEADQUARTERS has its own legs here, before it takes anything for others.
    pub effective: Amount,
    /// Where it hangs in the forest at the cut.
    pub link: Link,
    /// The trees of its adoptions that have begun.
    pub trees: u64,
    /// How many adoptions these are.
    pub adoptions: u32,
    /// Their contribution, when they were adopted.
    pub contribution: Amount,
    /// What was adopted below it.
    pub team: TeamTrees,
}

impl CarriedAccount {
    /// Returns an account with nothing.
    #[must_use]
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            effective: Amount::ZERO,
            link: Link::Missing,
            trees: 0,
            adoptions: 0,
            contribution: Amount::ZERO,
            team: TeamTrees::default(),
        }
    }
}

/// A part of the accounts on a closed date: those whose places have the same first bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedPage {
    accounts: BTreeMap<Placement, CarriedAccount>,
    is_changed: bool,
}

impl CarriedPage {
    /// Returns the page with these accounts.
    #[must_use]
    pub fn of(accounts: Vec<CarriedAccount>) -> Self {
        let placed = accounts.into_iter().map(|account| (Placement::of(&account.owner), account));
        Self { accounts: placed.collect(), is_changed: false }
    }

    /// Returns its accounts, in the order of their places.
    pub fn accounts(&self) -> impl Iterator<Item = &CarriedAccount> {
        self.accounts.values()
    }

    /// Returns an account, if it is here.
    #[must_use]
    pub fn account(&self, owner: &Owner) -> Option<&CarriedAccount> {
        self.accounts.get(&Placement::of(owner))
    }

    /// Returns whether it differs from the page of the date before.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }
}

/// Every account with something on a closed date, in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedState {
    pages_log2: u8,
    pages: Vec<CarriedPage>,
    count: usize,
    is_forest_changed: bool,
}

impl Default for CarriedState {
    /// Returns the state before the first close: HEADQUARTERS, with nothing.
    fn default() -> Self {
        let mut state = Self::of(0, vec![CarriedPage::default()]);
        state.change(&Owner::System(SystemAccount::Headquarters), |_| {});
        state
    }
}

impl CarriedState {
    /// Returns the state with these pages, 2 to the power of `pages_log2` of them.
    #[must_use]
    pub fn of(pages_log2: u8, pages: Vec<CarriedPage>) -> Self {
        assert_eq!(pages.len(), 1 << pages_log2, "the number of pages is a power of two");
        let count = pages.iter().map(|page| page.accounts.len()).sum();
        Self { pages_log2, pages, count, is_forest_changed: false }
    }

    /// Returns its pages.
    #[must_use]
    pub fn pages(&self) -> &[CarriedPage] {
        &self.pages
    }

    /// Returns the power of two that is the number of pages.
    #[must_use]
    pub fn pages_log2(&self) -> u8 {
        self.pages_log2
    }

    /// Returns how many accounts there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns every account, in the order of their places.
    pub fn accounts(&self) -> impl Iterator<Item = &CarriedAccount> {
        self.pages.iter().flat_map(CarriedPage::accounts)
    }

    /// Returns an account, if it is known.
    #[must_use]
    pub fn account(&self, owner: &Owner) -> Option<&CarriedAccount> {
        self.pages[Placement::of(owner).page(self.pages_log2) as usize].account(owner)
    }

    /// Applies what pages of the log change. Teams are out of date until [`finish`](Self::finish).
    pub fn apply(&mut self, changes: &DayChanges) -> Result<(), AmountOverflow> {
        for (owner, change) in changes.amounts.iter().filter(|(_, change)| !change.is_zero()) {
            let effective = self.account(owner).map_or(Amount::ZERO, |account| account.effective);
            let effective = effective.checked_add(*change)?;
            self.change(owner, |account| account.effective = effective);
        }
        for (account, change) in &changes.trees {
            if *change == TreesChange::default() {
                continue;
            }
            self.is_forest_changed = true;
            let owner = Owner::User(account.clone());
            let contribution = self.account(&owner).map_or(Amount::ZERO, |account| account.contribution);
            let contribution = contribution.checked_add(change.contribution)?;
            self.change(&owner, |account| {
                account.contribution = contribution;
                let trees = i128::from(account.trees) + change.trees;
                let adoptions = i64::from(account.adoptions) + change.adoptions;
                account.trees = u64::try_from(trees).expect(TREES_FIT);
                account.adoptions = u32::try_from(adoptions).expect(TREES_FIT);
            });
        }
        for (account, link) in &changes.links {
            self.move_to(account, link);
        }
        Ok(())
    }

    fn move_to(&mut self, account: &AccountSequence, link: &Link) {
        let owner = Owner::User(account.clone());
        if self.account(&owner).is_some_and(|account| account.link == *link) {
            return;
        }
        self.is_forest_changed = true;
        self.change(&owner, |account| account.link = link.clone());
        // A referrer has a team, so it is carried, too.
        let referrer = link.referrer().map(|referrer| Owner::User(referrer.clone()));
        if let Some(referrer) = referrer.filter(|referrer| self.account(referrer).is_none()) {
            self.change(&referrer, |_| {});
        }
    }

    /// Brings teams and the division into pages up to date.
    pub fn finish(&mut self) {
        if self.is_forest_changed {
            self.count_teams();
            self.is_forest_changed = false;
        }
        while self.count > self.pages.len() * PAGE_ACCOUNTS_MAX && self.pages_log2 < 16 {
            self.split_pages();
        }
    }

    /// Forgets which pages differ from those of the date before, because these are the date before now.
    pub fn carry_over(&mut self) {
        self.pages.iter_mut().for_each(|page| page.is_changed = false);
    }

    fn change(&mut self, owner: &Owner, change: impl FnOnce(&mut CarriedAccount)) {
        let place = Placement::of(owner);
        let page = &mut self.pages[place.page(self.pages_log2) as usize];
        let before = page.accounts.len();
        change(page.accounts.entry(place).or_insert_with(|| CarriedAccount::new(owner.clone())));
        self.count += page.accounts.len() - before;
        page.is_changed = true;
    }

    fn count_teams(&mut self) {
        let places: Vec<Placement> =
            self.pages.iter().flat_map(|page| page.accounts.keys().copied()).collect();
        let number_of = |referrer: &AccountSequence| {
            let place = Placement::of(&Owner::User(referrer.clone()));
            let number = places.binary_search(&place).expect("every referrer is carried");
            u32::try_from(number).expect("fewer accounts than u32 counts")
        };
        let members: Vec<Member> = self
            .accounts()
            .map(|account| Member {
                referrer: account.link.referrer().map(number_of),
                trees: account.trees,
                contribution: account.contribution,
                has_adopted: account.adoptions > 0,
            })
            .collect();
        let mut counted = teams(&members).into_iter();
        for page in &mut self.pages {
            for account in page.accounts.values_mut() {
                let team = counted.next().expect("a team for each account");
                if account.team != team {
                    account.team = team;
                    page.is_changed = true;
                }
            }
        }
    }

    fn split_pages(&mut self) {
        self.pages_log2 += 1;
        let mut pages = Vec::with_capacity(self.pages.len() * 2);
        for page in std::mem::take(&mut self.pages) {
            let is_in_second = |place: &Placement| place.page(self.pages_log2) % 2 == 1;
            let (second, first) = page.accounts.into_iter().partition(|(place, _)| is_in_second(place));
            pages.extend([first, second].map(|accounts| CarriedPage { accounts, is_changed: true }));
        }
        self.pages = pages;
    }
}
