//! Teams and talent levels, worked out again from the referrers alone (rules, section 9).
//!
//! It shares the table of levels with what keeps talent up to date, and nothing else: no report, no mark, no order in
//! which anything arrived.

use crate::log::{Entry, Position};
use crate::{AccountSequence, TALENT_DEPTH, TalentLevel, TalentTable, Team};

use super::people::{People, Person};

/// Who refers whom.
#[derive(Debug, Default)]
pub struct ReferralForest {
    people: People,
    /// The last page that changed each account's referrer.
    changed_at: Vec<Position>,
}

/// What every account's talent should be.
#[derive(Debug)]
pub struct Talents<'a> {
    forest: &'a ReferralForest,
    should_be: Vec<ShouldBe>,
    /// The direct referrals of each account.
    children: Vec<Vec<Person>>,
}

/// What an account's talent should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShouldBe {
    /// The referrer in force.
    pub referrer: Option<AccountSequence>,
    /// The last page that changed it.
    pub changed_at: Position,
    /// How many accounts the ring has that the account is on; 0 if it is on none.
    pub ring: u32,
    /// Its team without any activity. On a ring it is what reports that come round add up to.
    pub team: Team,
    /// The level of that team, where no condition asks for activity.
    pub level: TalentLevel,
}

impl ReferralForest {
    /// Returns a forest without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds an entry of the page at `position` in.
    pub fn apply(&mut self, entry: &Entry, position: Position) {
        let Entry::Upline(change) = entry else { return };
        self.people.hangs(&change.before);
        let hangs = self.people.hangs(&change.after);
        let person = self.people.find_or_add(&change.account);
        self.people.at_mut(person).hangs = hangs;
        self.changed_at.resize(self.people.len(), 0);
        self.changed_at[person as usize] = position;
    }

    /// Returns every account that a change of a referrer named.
    #[must_use]
    pub fn accounts(&self) -> &[AccountSequence] {
        self.people.names()
    }

    /// Works out every account's talent by a table of levels.
    #[must_use]
    pub fn talents(&self, table: &TalentTable) -> Talents<'_> {
        let count = self.people.len();
        let mut children: Vec<Vec<Person>> = vec![Vec::new(); count];
        let persons = || (0..count).map(|person| Person::try_from(person).expect("it has a number"));
        for person in persons() {
            if let Some(referrer) = self.referrer(person) {
                children[referrer as usize].push(person);
            }
        }
        let rings = self.rings();
        let mut talents: Vec<ShouldBe> = persons()
            .map(|person| ShouldBe {
                referrer: self.people.referrer(person).map(|referrer| self.people.name(referrer).clone()),
                changed_at: self.changed_at.get(person as usize).copied().unwrap_or_default(),
                ring: rings[person as usize],
                ..ShouldBe::default()
            })
            .collect();
        self.count_people(&mut talents);
        self.find_levels(&mut talents, table);
        Talents { forest: self, should_be: talents, children }
    }

    /// Returns the referrer that an account reports to. An account that refers itself reports to none.
    fn referrer(&self, person: Person) -> Option<Person> {
        self.people.referrer(person).filter(|referrer| *referrer != person)
    }

    /// Counts the descendants of each account, level by level.
    fn count_people(&self, talents: &mut [ShouldBe]) {
        let mut above = vec![1_u64; talents.len()];
        for depth in 0..TALENT_DEPTH {
            let mut counts = vec![0_u64; talents.len()];
            for (person, count) in (0..).zip(&above) {
                if let Some(referrer) = self.referrer(person) {
                    counts[referrer as usize] += count;
                }
            }
            for (talent, count) in talents.iter_mut().zip(&counts) {
                talent.team.people[depth] = *count;
            }
            above = counts;
        }
    }

    /// Returns how many accounts the ring has that each account is on.
    fn rings(&self) -> Vec<u32> {
        let mut rings = vec![0; self.people.len()];
        // In which walk up each account was met, and as which one of it.
        let mut met: Vec<Option<(Person, u32)>> = vec![None; self.people.len()];
        for walk in (0..).take(self.people.len()) {
            let mut next = Some(walk);
            let mut steps = 0;
            while let Some(person) = next.filter(|person| met[*person as usize].is_none()) {
                met[person as usize] = Some((walk, steps));
                steps += 1;
                next = self.referrer(person);
            }
            let Some(start) = next else { continue };
            if let Some((of_walk, first)) = met[start as usize]
                && of_walk == walk
            {
                let mut person = start;
                for _ in first..steps {
                    rings[person as usize] = steps - first;
                    person = self.referrer(person).expect("a ring has no end");
                }
            }
        }
        rings
    }

    /// Finds the least levels that the table allows. All begin at none; a level that rises can only raise the next one.
    fn find_levels(&self, talents: &mut [ShouldBe], table: &TalentTable) {
        let mut pending: Vec<Person> = (0..).take(talents.len()).collect();
        while let Some(person) = pending.pop() {
            let talent = &mut talents[person as usize];
            let team = talent.team.on_ring(talent.ring as usize, false);
            let (before, level) = (talent.level, table.assess(&team, false).level);
            if level <= before {
                continue;
            }
            talent.level = level;
            if let Some(referrer) = self.referrer(person) {
                let levels = &mut talents[referrer as usize].team.levels;
                let place = |level: TalentLevel| usize::from(level.get()).checked_sub(1);
                if let Some(left) = place(before) {
                    levels[left] -= 1;
                }
                if let Some(reached) = place(level) {
                    levels.resize(levels.len().max(reached + 1), 0);
                    levels[reached] += 1;
                }
                pending.push(referrer);
            }
        }
    }
}

impl Talents<'_> {
    /// Returns what an account's talent should be, if the forest names it.
    #[must_use]
    pub fn of(&self, account: &AccountSequence) -> Option<&ShouldBe> {
        Some(&self.should_be[self.forest.people.find(account)? as usize])
    }

    /// Returns the direct referrals of an account.
    pub fn children(&self, account: &AccountSequence) -> impl Iterator<Item = &AccountSequence> {
        let person = self.forest.people.find(account);
        let children = person.and_then(|person| self.children.get(person as usize));
        children.into_iter().flatten().map(|child| self.forest.people.name(*child))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Link;
    use crate::log::UplineChange;

    fn forest(links: &[(&str, &str)]) -> ReferralForest {
        let account = |name: &str| name.parse::<AccountSequence>().expect("an account");
        let mut forest = ReferralForest::new();
        for (position, (name, referrer)) in (1..).zip(links) {
            let change = UplineChange {
                account: account(name),
                before: Link::Missing,
                after: Link::Under(account(referrer)),
                first_order: None,
            };
            forest.apply(&Entry::Upline(change), position);
        }
        forest
    }

    fn table(json: &str) -> TalentTable {
        serde_json::from_str(json).expect("a table")
    }

    #[test]
    fn a_team_is_counted_level_by_level_and_an_account_that_moves_counts_where_it_is() {
        let forest = forest(&[("b", "a"), ("c", "a"), ("d", "b"), ("c", "b")]);
        let talents = forest.talents(&TalentTable::default());
        let of = |name: &str| talents.of(&name.parse().expect("an account")).expect("it is named").clone();
        assert_eq!(of("a").team.people[..3], [1, 2, 0]);
        assert_eq!(of("b").team.people[..2], [2, 0]);
        assert_eq!((of("c").changed_at, of("c").referrer), (4, Some("b".parse().expect("an account"))));
        let children: Vec<&str> =
            talents.children(&"b".parse().expect("an account")).map(AccountSequence::as_str).collect();
        assert_eq!(children, ["c", "d"]);
    }

    #[test]
    fn accounts_on_a_ring_know_its_length_and_count_each_other_once() {
        let forest = forest(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("e", "e")]);
        let talents = forest.talents(&TalentTable::default());
        let of = |name: &str| talents.of(&name.parse().expect("an account")).expect("it is named").clone();
        assert_eq!(["a", "b", "c", "d", "e"].map(|name| of(name).ring), [3, 3, 3, 0, 0]);
        let counted = |name: &str| of(name).team.on_ring(of(name).ring as usize, false).promotion_count();
        assert_eq!(["a", "b", "c", "d", "e"].map(counted), [3, 3, 3, 0, 0]);
    }

    #[test]
    fn a_level_below_raises_the_one_above_and_a_ring_raises_itself_by_nothing() {
        let rows = r#"{ "rows": [
            { "direct_count": 2 },
            { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } }
        ] }"#;
        let forest = forest(&[("b", "a"), ("c", "b"), ("d", "b"), ("x", "y"), ("y", "x")]);
        let talents = forest.talents(&table(rows));
        let level =
            |name: &str| talents.of(&name.parse().expect("an account")).expect("it is named").level.get();
        assert_eq!(["a", "b", "c", "x", "y"].map(level), [2, 1, 0, 0, 0]);
    }
}
