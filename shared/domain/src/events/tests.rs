//! Events of pages that are written here.

use std::collections::BTreeMap;

use super::*;
use crate::UnlockedLegs;
use crate::log::{Correction, HoldReason, PageHash};

fn versions() -> Versions {
    Versions::starting("{}").expect("the default policy")
}

fn page(entries: Vec<Entry>) -> Page {
    Page { position: 41, previous: PageHash::default(), time_ms: 1_767_225_600_000, entries }
}

fn posting(trees: u32, date: &str) -> Posting {
    Posting {
        account: "D1".parse().expect("an account"),
        trees,
        total: Posting::total_of(trees, "22617".parse().expect("an amount")).expect("within the limit"),
        adoption_date: date.parse().expect("a date"),
        version: 1,
        province: None,
        city: None,
        chain: vec!["D0".parse().expect("an account")],
        unlocked: UnlockedLegs::default(),
    }
}

fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order")
}

fn posted(trees: u32, date: &str) -> Entry {
    let posting = Box::new(posting(trees, date));
    Entry::Posted { order: order(57), posting, first_order: None, cause: Cause::Row }
}

fn told(entries: Vec<Entry>) -> Vec<Event> {
    let (page, versions) = (page(entries), versions());
    events_of(&page, &versions).collect()
}

fn shares_of(event: &Event) -> &[Share] {
    match &event.data {
        EventData::Calculated(calculated) => &calculated.shares,
        EventData::Corrected(corrected) => &corrected.shares,
        EventData::Adjusted { shares } => shares,
        EventData::Hold(_) | EventData::Closed { .. } => &[],
    }
}

fn sum(event: &Event) -> Amount {
    Amount::sum(shares_of(event).iter().map(|share| share.amount)).expect("within the limit")
}

#[test]
fn a_posted_adoption_tells_what_each_account_has_of_it_to_the_last_digit() {
    let events = told(vec![Entry::OrderSeen { order: order(57) }, posted(2, "2026-01-09")]);
    assert_eq!(events.len(), 1, "what is taken in tells nothing");
    let event = &events[0];
    assert_eq!((event.id.to_string().as_str(), event.position), ("41-1", 41));
    assert_eq!(sum(event), "45234".parse().expect("an amount"));
    let text = serde_json::to_value(event).expect("an event is JSON");
    assert_eq!(text["type"], "ContributionCalculated");
    assert_eq!(text["schema_version"], 2);
    assert_eq!(text["time"], "2026-01-01T00:00:00Z");
    assert_eq!(text["data"]["order_id"], "57");
    assert_eq!(text["data"]["total"], "45234.0000000000");
    let share = &text["data"]["shares"][0];
    assert_eq!((&share["account"], &share["amount"]), (&"D1".into(), &"31663.8000000000".into()));
    assert_eq!(
        (&share["effective_date"], &share["expire_date"]),
        (&"2026-01-10".into(), &"2028-01-10".into())
    );
}

#[test]
fn a_correction_tells_the_difference_and_leaves_out_who_keeps_the_same() {
    let mut is = posting(1, "2026-01-09");
    is.unlocked.set(crate::Slot::TeamLevel(1));
    let correction = Correction {
        order: order(57),
        was: posting(1, "2026-01-09"),
        is,
        cause: Cause::Unlock { order: order(55) },
    };
    let events = told(vec![Entry::Corrected(Box::new(correction))]);
    let by_account: BTreeMap<String, Amount> =
        shares_of(&events[0]).iter().map(|share| (share.account.to_string(), share.amount)).collect();
    assert_eq!(by_account.len(), 2, "{by_account:?}");
    assert_eq!(by_account["D0"], -by_account["HEADQUARTERS"]);
    assert!(sum(&events[0]).is_zero());
    let text = serde_json::to_value(&events[0]).expect("an event is JSON");
    assert_eq!(text["data"]["cause"]["order_id"], "55");
    assert_eq!(text["data"]["is_withdrawn"], false);
}

#[test]
fn what_is_corrected_to_other_dates_is_taken_back_and_given_with_the_dates_of_each() {
    let (was, is) = (posting(1, "2026-01-09"), posting(1, "2026-02-09"));
    let correction = Correction { order: order(57), was, is, cause: Cause::Row };
    let events = told(vec![Entry::Corrected(Box::new(correction))]);
    let own: Vec<&Share> =
        shares_of(&events[0]).iter().filter(|share| share.account.to_string() == "D1").collect();
    let dates: Vec<String> = own.iter().map(|share| share.effective_date.to_string()).collect();
    assert_eq!(dates, ["2026-01-10", "2026-02-10"]);
    assert_eq!(own[0].amount, -own[1].amount);
    assert!(own[1].amount > Amount::ZERO);
}

#[test]
fn a_withdrawal_takes_back_exactly_what_was_posted() {
    let withdrawn = Entry::Withdrawn {
        order: order(57),
        posting: Box::new(posting(3, "2026-01-09")),
        first_order: None,
        cause: Cause::Row,
    };
    let events = told(vec![posted(3, "2026-01-09"), withdrawn]);
    assert_eq!(sum(&events[0]), -sum(&events[1]));
    assert_eq!(events[1].kind, EventType::ContributionCorrected);
    let text = serde_json::to_value(&events[1]).expect("an event is JSON");
    assert_eq!(
        (&text["data"]["is_withdrawn"], &text["data"]["total"]),
        (&true.into(), &"0.0000000000".into())
    );
}

#[test]
fn holds_adjustments_and_closes_are_told_and_no_event_has_the_id_of_another() {
    let held = Held {
        order: order(58),
        reason: HoldReason::NoReferral("D9".parse().expect("an account")),
        look_again_ms: None,
    };
    let adjusted = AdjustmentTerms {
        giver: "HEADQUARTERS".parse().expect("an owner"),
        receiver: "D1".parse().expect("an owner"),
        amount: "1.5".parse().expect("an amount"),
        effective_date: "2026-03-01".parse().expect("a date"),
        expire_date: None,
        reference: "ticket 3 of a person".to_owned(),
    };
    let close = CloseTerms {
        date: "2026-01-31".parse().expect("a date"),
        previous: None,
        previous_cut: 0,
        progress: Vec::new(),
    };
    let entries = vec![
        Entry::Held(held.clone()),
        Entry::HoldEnded(held),
        Entry::Adjusted(Box::new(adjusted)),
        Entry::Close(close),
    ];
    let events = told(entries);
    let kinds: Vec<EventType> = events.iter().map(|event| event.kind).collect();
    let expected = [
        EventType::AdoptionHeld,
        EventType::AdoptionReleased,
        EventType::ContributionAdjusted,
        EventType::DailySnapshotCreated,
    ];
    assert_eq!(kinds, expected);
    assert!(events.is_sorted_by(|one, other| one.id < other.id));
    assert!(sum(&events[2]).is_zero());
    let text = serde_json::to_string(&events).expect("events are JSON");
    assert!(!text.contains("ticket"), "what operators write may name people");
    assert!(text.contains(r#""reason":"NO_REFERRAL","account":"D9""#), "{text}");
}
