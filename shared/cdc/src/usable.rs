//! Decides whether a row that stands can take part in the ledger.

use super::column::{Cell, Reading, Unreadable};
use super::decode::{Change, Operation};
use super::image::{Referrer, Region, RowImage};
use super::profile::Profile;
use super::refusal::Refusal;
use super::row_state::RowState;

impl RowState {
    /// Returns why the rules can do nothing with the row as it stands after this change, if that is so.
    ///
    /// The row stands nevertheless, and what stood before it does not. Without its account or order number there is
    /// no list of the ledger that it could be in, so it is listed as what was refused is. A message that leaves the
    /// column out proves nothing unless it names whole rows: the one that names it may still come.
    #[must_use]
    pub fn unusable(&self, change: &Change, profile: &Profile) -> Option<Refusal> {
        let is_whole = matches!(change.operation, Operation::Create | Operation::Read);
        let said = |is_missing: bool, why: Option<String>| if is_missing && !is_whole { None } else { why };
        let of = |why: Option<String>| why.map(|why| Refusal::Unusable { why });
        match self.image()? {
            RowImage::User(user) => of(why_not(&user.account, profile, said)),
            RowImage::Adoption(adoption) => of(why_not(&adoption.order, profile, said)),
            RowImage::Referral(referral) => of(why_not(&referral.account, profile, said).or_else(|| {
                let Referrer::Unknown(reading) = &referral.referrer else { return None };
                why_not(reading, profile, said)
            })),
        }
    }
}

impl RowState {
    /// Returns which region of the order is booked without a code, and why, if this change says so.
    #[must_use]
    pub fn dropped_region(&self, change: &Change, profile: &Profile) -> Option<String> {
        let RowImage::Adoption(adoption) = self.image()? else { return None };
        let says = |unreadable: &Unreadable| {
            change.cells.values().any(|cell| matches!(cell, Cell::Unreadable(said) if said == unreadable))
        };
        [adoption.province, adoption.city].into_iter().find_map(|region| match region {
            Region::Dropped(unreadable) if says(&unreadable) => Some(format!(
                "{unreadable} (profile {}); the order is booked without a code for it",
                profile.name()
            )),
            _ => None,
        })
    }
}

fn why_not<T>(
    reading: &Reading<T>,
    profile: &Profile,
    said: impl Fn(bool, Option<String>) -> Option<String>,
) -> Option<String> {
    said(matches!(reading, Reading::Missing(_)), reading.why_not(profile.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoded, KafkaRecord, decode, fold};

    const ORDERS: &str = "dbserver1.rwa_planting.planting_orders";
    const REFERRALS: &str = "dbserver1.rwa_referral.referral_relations";

    /// Returns why the row is unusable after this message, which is the first of its row.
    fn code(topic: &str, value: &str) -> Option<String> {
        let profile = Profile::built_in();
        let record = KafkaRecord {
            topic,
            partition: 0,
            offset: 1,
            timestamp_ms: Some(5),
            key: Some(br#"{"id":7}"#),
            value: Some(value.as_bytes()),
        };
        let Ok(Decoded::Change(change)) = decode(&profile, record) else { panic!("a change") };
        fold(None, &change).state.unusable(&change, &profile).map(|refusal| refusal.to_string())
    }

    #[test]
    fn a_row_needs_its_business_key_and_a_referral_what_its_referrer_is() {
        for (topic, value) in [
            (ORDERS, r#"{"order_id":0,"status":"PAID","__op":"c"}"#),
            (ORDERS, r#"{"order_id":null,"status":"PAID","__op":"u"}"#),
            (ORDERS, r#"{"id":"cccccccc-0000-4000-8000-000000000011","status":"PAID","__op":"r"}"#),
            (ORDERS, r#"{"order_no":11,"status":"PAID","__op":"c"}"#),
            (REFERRALS, r#"{"account_sequence":"A B","referrer_account_sequence":null,"__op":"c"}"#),
            (REFERRALS, r#"{"account_sequence":"A","referrer_account_sequence":"no one","__op":"u"}"#),
            (REFERRALS, r#"{"account_sequence":"A","__op":"c"}"#),
        ] {
            let why = code(topic, value).unwrap_or_else(|| panic!("{value} is unusable"));
            assert!(why.contains("profile built-in"), "{why}");
            assert!(!why.contains("no one") && !why.contains("A B"), "{why}");
        }
    }

    #[test]
    fn what_a_later_message_may_still_say_is_waited_for() {
        for (topic, value) in [
            (ORDERS, r#"{"status":"PAID","__op":"u"}"#),
            (ORDERS, r#"{"order_id":11,"__op":"c"}"#),
            (REFERRALS, r#"{"account_sequence":"A","__op":"u"}"#),
            (REFERRALS, r#"{"account_sequence":"A","referrer_account_sequence":"","__op":"c"}"#),
        ] {
            assert_eq!(code(topic, value), None, "{value}");
        }
    }
}
