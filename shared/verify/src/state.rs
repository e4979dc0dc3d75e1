//! The state that the entries lead to, line by line, and its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use domain::BusinessDate;
use sha2::{Digest as _, Sha256};

use crate::format::{Digest, SectionDigest};
use crate::legs::{Kind, Leg, Units, legs_of, text_of};
use crate::replay::{Outcome, Replay};
use crate::talent::{ancestors, talents};

/// The first line of a state.
const HEADER: &str = "contribution state 1";
/// How many levels team trees are counted for.
const TEAM_LEVELS: usize = 15;

/// The lines of a section by key.
type Lines = BTreeMap<String, String>;

/// What an owner has in all.
#[derive(Default)]
struct Totals {
    own: Units,
    team_level: Units,
    team_bonus: Units,
    adjusted: Units,
}

impl Replay {
    /// Returns the lines of each section of the state on a date.
    fn sections(&self, date: BusinessDate) -> [(&'static str, Lines); 10] {
        let referrers = self.referrers();
        let (people, system) = self.totals();
        [
            ("legs", self.legs()),
            ("totals", people),
            ("unlock_facts", self.unlock_facts(&referrers)),
            ("talent", self.talent(&referrers, date)),
            ("system_accounts", system),
            ("held", self.held()),
            ("team_trees", self.team_trees(&referrers)),
            (
                "price_book",
                self.places.iter().map(|(order, before)| (order_key(*order), before.to_string())).collect(),
            ),
            ("versions", self.version_lines()),
            ("adjustments", self.adjustment_lines()),
        ]
    }

    /// Writes the lines of the state on a date: a header, then each section under its name in brackets.
    pub(crate) fn write(&self, date: BusinessDate, writer: &mut impl Write) -> io::Result<()> {
        writeln!(writer, "{HEADER}")?;
        for (section, lines) in self.sections(date) {
            writeln!(writer, "[{section}]")?;
            for (key, value) in &lines {
                writeln!(writer, "{key}\t{value}")?;
            }
        }
        Ok(())
    }

    /// Returns the digest of the state on a date.
    pub(crate) fn digest(&self, date: BusinessDate) -> Digest {
        let mut text = format!("{HEADER}\ndate {date}\n");
        let mut digests = Vec::new();
        for (section, lines) in self.sections(date) {
            let mut hasher = Sha256::new();
            for (key, value) in &lines {
                hasher.update(format!("{key}\t{value}\n"));
            }
            let hash = hexadecimal(&hasher.finalize());
            text.extend([section, " ", &lines.len().to_string(), " ", &hash, "\n"]);
            digests.push(SectionDigest { section: section.to_owned(), lines: lines.len() as u64, hash });
        }
        let hash = hexadecimal(&Sha256::digest(text));
        Digest { date, hash, waiting: self.waiting(), sections: digests }
    }

    fn each_leg(&self, mut show: impl FnMut(u64, u32, Leg)) {
        for (order, outcome) in &self.orders {
            let Outcome::Posted(posting) = outcome else { continue };
            let numbers = self.numbers_of(posting.version).expect("checked when it was posted");
            for leg in legs_of(posting, numbers).expect("checked when it was posted") {
                show(*order, posting.version, leg);
            }
        }
    }

    fn legs(&self) -> Lines {
        let mut lines = Lines::new();
        self.each_leg(|order, version, leg| {
            let index = leg.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
            let expires = leg.expire_date.map_or_else(|| "-".to_owned(), |date| date.to_string());
            let (type_name, amount, effective) = (leg.type_name, text_of(leg.amount), leg.effective_date);
            let value = format!("{} {type_name} {index} {amount} {effective} {expires} {version}", leg.owner);
            lines.insert(format!("{} {}", order_key(order), leg.slot), value);
        });
        lines
    }

    fn totals(&self) -> (Lines, Lines) {
        let mut people: BTreeMap<String, Totals> = BTreeMap::new();
        let mut system: BTreeMap<String, Totals> = BTreeMap::new();
        self.each_leg(|_, _, leg| match leg.kind {
            Kind::System => system.entry(leg.owner).or_default().own += leg.amount,
            Kind::Personal => people.entry(leg.owner).or_default().own += leg.amount,
            Kind::TeamLevel => people.entry(leg.owner).or_default().team_level += leg.amount,
            Kind::TeamBonus => people.entry(leg.owner).or_default().team_bonus += leg.amount,
        });
        for terms in &self.adjustments {
            for (owner, amount) in
                [(&terms.giver, -terms.amount.units()), (&terms.receiver, terms.amount.units())]
            {
                let of = if matches!(owner, domain::Owner::System(_)) { &mut system } else { &mut people };
                of.entry(owner.to_string()).or_default().adjusted += amount;
            }
        }
        let is_something = |(_, totals): &(String, Totals)| {
            [totals.own, totals.team_level, totals.team_bonus, totals.adjusted].iter().any(|sum| *sum != 0)
        };
        let of_people = people.into_iter().filter(is_something).map(|(owner, totals)| {
            let Totals { own, team_level, team_bonus, adjusted } = totals;
            (owner, [own, team_level, team_bonus, adjusted].map(text_of).join(" "))
        });
        let of_system = system.into_iter().filter(is_something);
        let of_system =
            of_system.map(|(owner, totals)| (owner, [totals.own, totals.adjusted].map(text_of).join(" ")));
        (of_people.collect(), of_system.collect())
    }

    fn referrers(&self) -> BTreeMap<String, String> {
        let links = self.links.iter();
        links.filter_map(|(account, link)| Some((account.clone(), link.referrer()?.to_string()))).collect()
    }

    fn unlock_facts(&self, referrers: &BTreeMap<String, String>) -> Lines {
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for (order, outcome) in &self.orders {
            if let Outcome::Posted(posting) = outcome {
                first.entry(posting.account.as_str()).or_insert(*order);
            }
        }
        let mut direct: BTreeMap<&str, u64> = BTreeMap::new();
        for account in first.keys() {
            if let Some(referrer) = referrers.get(*account) {
                *direct.entry(referrer).or_default() += 1;
            }
        }
        let accounts: BTreeSet<&str> = first.keys().chain(direct.keys()).copied().collect();
        let line = |account: &str| {
            let first = first.get(account).map_or_else(|| "-".to_owned(), ToString::to_string);
            (account.to_owned(), format!("{first} {}", direct.get(account).unwrap_or(&0)))
        };
        accounts.into_iter().map(line).collect()
    }

    fn talent(&self, referrers: &BTreeMap<String, String>, date: BusinessDate) -> Lines {
        let talents = talents(referrers, &self.in_force(date).numbers);
        let counted = talents.into_iter().filter(|(_, talent)| talent.promotion_count > 0);
        let line = |(account, talent): (&str, crate::talent::Talent)| {
            let counts = format!("{} {}", talent.direct_count, talent.promotion_count);
            (account.to_owned(), format!("{} {counts}", talent.level))
        };
        counted.map(line).collect()
    }

    fn held(&self) -> Lines {
        let reason = |outcome: &Outcome| match outcome {
            Outcome::Absent | Outcome::Posted(_) => None,
            Outcome::Unpriced => Some("UNPRICED".to_owned()),
            Outcome::Held(reason) => Some(reason.clone()),
        };
        self.orders
            .iter()
            .filter_map(|(order, outcome)| Some((order_key(*order), reason(outcome)?)))
            .collect()
    }

    fn team_trees(&self, referrers: &BTreeMap<String, String>) -> Lines {
        let mut teams: BTreeMap<&str, [u64; TEAM_LEVELS]> = BTreeMap::new();
        for outcome in self.orders.values() {
            let Outcome::Posted(posting) = outcome else { continue };
            for (level, ancestor) in
                ancestors(referrers, posting.account.as_str(), TEAM_LEVELS).into_iter().enumerate()
            {
                teams.entry(ancestor).or_default()[level] += u64::from(posting.trees);
            }
        }
        let line = |(account, trees): (&str, [u64; TEAM_LEVELS])| {
            (account.to_owned(), trees.map(|trees| trees.to_string()).join(" "))
        };
        teams.into_iter().map(line).collect()
    }

    fn version_lines(&self) -> Lines {
        let date = |date: Option<BusinessDate>| date.map_or_else(|| "-".to_owned(), |date| date.to_string());
        let line = |(number, version): (usize, &crate::replay::Version)| {
            let value = format!("{} {} {}", date(version.from), date(version.until), version.policy);
            (format!("{number:010}"), value)
        };
        (1..).zip(&self.versions).map(line).collect()
    }

    fn adjustment_lines(&self) -> Lines {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for terms in &self.adjustments {
            let expires = terms.expire_date.map_or_else(|| "-".to_owned(), |date| date.to_string());
            let reference = serde_json::Value::from(terms.reference.as_str());
            let amount = text_of(terms.amount.units());
            let (effective, giver, receiver) = (terms.effective_date, &terms.giver, &terms.receiver);
            let key = format!("{effective} {expires} {giver} {receiver} {amount} {reference}");
            *counts.entry(key).or_default() += 1;
        }
        counts.into_iter().map(|(key, count)| (key, count.to_string())).collect()
    }
}

fn order_key(order: u64) -> String {
    format!("{order:019}")
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from_digit(u32::from(digit), 16).expect("below sixteen")).collect()
}
