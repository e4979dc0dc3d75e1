//! Talent by the referral forest alone.

use std::collections::BTreeMap;

use crate::numbers::{Numbers, TalentRow};

/// How many levels below an account count.
const LEVELS: usize = 20;

/// An account's talent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Talent {
    pub(crate) level: usize,
    pub(crate) direct_count: u64,
    pub(crate) promotion_count: u64,
}

/// Returns the ancestors of an account, the referrer first, each once, at most so many.
pub(crate) fn ancestors<'a>(
    referrers: &'a BTreeMap<String, String>,
    account: &'a str,
    levels: usize,
) -> Vec<&'a str> {
    let mut walk = vec![account];
    while walk.len() <= levels {
        match referrers.get(walk[walk.len() - 1]) {
            Some(referrer) if !walk.contains(&referrer.as_str()) => walk.push(referrer),
            _ => break,
        }
    }
    walk.split_off(1)
}

/// Returns the talent of every account that has direct referrals.
///
/// All levels begin at none; a level that rises can only raise others, so what is reached when nothing rises any more
/// is the least solution.
pub(crate) fn talents<'a>(
    referrers: &'a BTreeMap<String, String>,
    numbers: &Numbers,
) -> BTreeMap<&'a str, Talent> {
    let mut talents: BTreeMap<&str, Talent> = BTreeMap::new();
    let mut directs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (account, referrer) in referrers {
        for (index, ancestor) in ancestors(referrers, account, LEVELS).into_iter().enumerate() {
            let talent = talents.entry(ancestor).or_default();
            talent.promotion_count += 1;
            talent.direct_count += u64::from(index == 0);
        }
        if account != referrer {
            directs.entry(referrer).or_default().push(account);
        }
    }
    let mut to_look_at: Vec<&str> = talents.keys().copied().collect();
    while let Some(account) = to_look_at.pop() {
        let talent = talents[account];
        let level_below = |direct: &&str| talents.get(direct).map_or(0, |talent| talent.level);
        let below: Vec<usize> = directs.get(account).into_iter().flatten().map(level_below).collect();
        let holds = |row: &TalentRow| {
            let at_level = row.direct_at_level.is_none_or(|asked| {
                let there = below.iter().filter(|level| **level >= usize::from(asked.level)).count();
                there as u64 >= asked.count
            });
            talent.direct_count >= row.direct_count
                && talent.promotion_count >= row.promotion_count
                && at_level
        };
        let level = numbers.talent.rows.iter().rposition(holds).map_or(0, |index| index + 1);
        if level > talent.level {
            talents.entry(account).or_default().level = level;
            to_look_at.extend(
                referrers.get(account).map(String::as_str).filter(|above| talents.contains_key(above)),
            );
        }
    }
    talents
}
