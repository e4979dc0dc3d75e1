//! The lines of text that a state is digested and dumped by.

use std::collections::BTreeMap;

use super::{Section, State, StateAccount, StateOutcome};
use crate::heads::Totals;
use crate::log::AdjustmentTerms;
use crate::{AccountSequence, BusinessDate, OrderId, Owner, Posting, VersionTerms};

/// How many levels team trees are counted for, whatever the rules' number of levels is.
const TEAM_LEVELS: usize = 15;

impl State {
    /// Shows the lines of a section in ascending order of their keys, which are unique.
    pub(super) fn each_line(&self, section: Section, show: &mut impl FnMut(&str, &str)) {
        match section {
            Section::Legs => self.legs(show),
            Section::Totals => self.of_owners(|owner| matches!(owner, Owner::User(_)), user_totals, show),
            Section::UnlockFacts => self.unlock_facts(show),
            Section::Talent => self.talent(show),
            Section::SystemAccounts => {
                self.of_owners(|owner| matches!(owner, Owner::System(_)), system_totals, show);
            }
            Section::Held => self.held(show),
            Section::TeamTrees => self.team_trees(show),
            Section::PriceBook => self.price_book(show),
            Section::Versions => self.version_lines(show),
            Section::Adjustments => self.adjustment_lines(show),
        }
    }

    fn legs(&self, show: &mut impl FnMut(&str, &str)) {
        for (order, posting) in self.posted() {
            let version = self.versions.numbered(posting.version).expect("a posting names a known version");
            let term = posting.term(&version.policy);
            let mut lines: Vec<(String, String)> = Vec::new();
            for leg in posting.legs(&version.policy) {
                let owner = leg.recipient.owner();
                let never =
                    matches!(&owner, Owner::System(account) if version.policy.never_expires(account.kind()));
                let expires = if never { "-".to_owned() } else { term.expire_date.to_string() };
                let index = leg.index().map_or_else(|| "-".to_owned(), |index| index.to_string());
                let key = format!("{order:019} {}", leg.slot, order = order.get());
                let value = format!(
                    "{owner} {} {index} {} {} {expires} {}",
                    leg.type_name(),
                    leg.amount,
                    term.effective_date,
                    posting.version
                );
                lines.push((key, value));
            }
            lines.sort_unstable();
            for (key, value) in &lines {
                show(key, value);
            }
        }
    }

    fn of_owners(
        &self,
        is_meant: impl Fn(&Owner) -> bool,
        value: impl Fn(&Totals) -> String,
        show: &mut impl FnMut(&str, &str),
    ) {
        let meant =
            self.totals.iter().filter(|(owner, totals)| is_meant(owner) && **totals != Totals::default());
        let lines: BTreeMap<String, &Totals> =
            meant.map(|(owner, totals)| (owner.to_string(), totals)).collect();
        for (owner, totals) in &lines {
            show(owner, &value(totals));
        }
    }

    fn unlock_facts(&self, show: &mut impl FnMut(&str, &str)) {
        for (name, account) in &self.accounts {
            let StateAccount { first_order, direct_adopters, .. } = account;
            if first_order.is_some() || *direct_adopters > 0 {
                show(name.as_str(), &format!("{} {direct_adopters}", or_dash(*first_order)));
            }
        }
    }

    fn talent(&self, show: &mut impl FnMut(&str, &str)) {
        for (name, account) in &self.accounts {
            let talent = account.talent;
            if talent.promotion_count > 0 {
                let counts = format!("{} {}", talent.direct_count, talent.promotion_count);
                show(name.as_str(), &format!("{} {counts}", talent.level.get()));
            }
        }
    }

    fn held(&self, show: &mut impl FnMut(&str, &str)) {
        for (order, adoption) in &self.adoptions {
            let reason = match &adoption.outcome {
                StateOutcome::Absent | StateOutcome::Posted(_) => continue,
                StateOutcome::Unpriced => "UNPRICED".to_owned(),
                StateOutcome::Held(reason) => reason.to_string(),
            };
            show(&format!("{:019}", order.get()), &reason);
        }
    }

    fn team_trees(&self, show: &mut impl FnMut(&str, &str)) {
        let mut teams: BTreeMap<&AccountSequence, [u64; TEAM_LEVELS]> = BTreeMap::new();
        for (_, posting) in self.posted() {
            for (level, ancestor) in self.ancestors(&posting.account).into_iter().enumerate() {
                teams.entry(ancestor).or_default()[level] += u64::from(posting.trees);
            }
        }
        for (account, trees) in teams {
            let levels: Vec<String> = trees.iter().map(ToString::to_string).collect();
            show(account.as_str(), &levels.join(" "));
        }
    }

    /// Returns the ancestors of an account, the referrer first, each once.
    fn ancestors<'a>(&'a self, account: &'a AccountSequence) -> Vec<&'a AccountSequence> {
        let mut walk = vec![account];
        while walk.len() <= TEAM_LEVELS {
            let last = walk[walk.len() - 1];
            match self.accounts.get(last).and_then(|account| account.referrer.as_ref()) {
                Some(referrer) if !walk.contains(&referrer) => walk.push(referrer),
                _ => break,
            }
        }
        walk.split_off(1)
    }

    fn price_book(&self, show: &mut impl FnMut(&str, &str)) {
        for (order, adoption) in &self.adoptions {
            if let Some(trees_before) = adoption.trees_before {
                show(&format!("{:019}", order.get()), &trees_before.to_string());
            }
        }
    }

    fn version_lines(&self, show: &mut impl FnMut(&str, &str)) {
        for version in self.versions.iter() {
            let VersionTerms { number, from, until, policy, .. } = &version.terms;
            // Written anew, so that blanks and the order of its parts make no difference.
            let policy: serde_json::Value = serde_json::from_str(policy).expect("a version has a policy");
            show(&format!("{number:010}"), &format!("{} {} {policy}", or_dash(*from), or_dash(*until)));
        }
    }

    fn adjustment_lines(&self, show: &mut impl FnMut(&str, &str)) {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for terms in &self.adjustments {
            *counts.entry(adjustment_key(terms)).or_default() += 1;
        }
        for (key, count) in &counts {
            show(key, &count.to_string());
        }
    }

    fn posted(&self) -> impl Iterator<Item = (OrderId, &Posting)> {
        self.adoptions.iter().filter_map(|(order, adoption)| match &adoption.outcome {
            StateOutcome::Posted(posting) => Some((*order, &**posting)),
            StateOutcome::Absent | StateOutcome::Unpriced | StateOutcome::Held(_) => None,
        })
    }
}

fn user_totals(totals: &Totals) -> String {
    let Totals { personal, team_level, team_bonus, adjusted } = totals;
    format!("{personal} {team_level} {team_bonus} {adjusted}")
}

fn system_totals(totals: &Totals) -> String {
    let Totals { personal, adjusted, .. } = totals;
    format!("{personal} {adjusted}")
}

fn adjustment_key(terms: &AdjustmentTerms) -> String {
    let AdjustmentTerms { giver, receiver, amount, effective_date, expire_date, reference } = terms;
    let expires: Option<BusinessDate> = *expire_date;
    // As JSON, the text has no line feed and no tab.
    let reference = serde_json::Value::from(reference.as_str());
    format!("{effective_date} {} {giver} {receiver} {amount} {reference}", or_dash(expires))
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
