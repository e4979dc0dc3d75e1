//! One adoption after another in both services, by hand: each difference has its reason, and all add up.

use std::collections::BTreeMap;

use compare::earlier::{amount, owner};
use compare::{
    Comparison, EarlierLeg, EarlierService, EarlierSnapshotRow, Language, OurAccount, OurAdoption, OurDate,
    Ours, Reason, compare, compare_mining, page,
};
use domain::{
    AccountSequence, Amount, BusinessDate, Leg, OrderId, Owner, Policy, Posting, Recipient, Slot,
    UnlockFacts, UnlockState, UnlockedLegs,
};
use watch::language::{has_english_words, is_chinese};

fn account(name: &str) -> AccountSequence {
    name.parse().expect("an account")
}

fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("a number")
}

fn amount_of(text: &str) -> Amount {
    amount(text).expect("an amount")
}

/// TOP referred MIDDLE, and MIDDLE referred LOW.
struct World {
    earlier: EarlierService,
    ours: Ours,
    booked_us: i64,
}

impl World {
    fn new() -> Self {
        Self { earlier: EarlierService::default(), ours: Ours::default(), booked_us: 0 }
    }

    /// Says of an account which order was its own first, and which were the first of those it referred.
    fn facts(&mut self, name: &str, own: Option<u64>, directs: &[u64]) {
        let mut facts = UnlockFacts::default();
        facts.set_first_order(own.map(order));
        facts.refill(directs.iter().copied().map(order));
        self.ours.accounts.entry(Owner::User(account(name))).or_default().facts = facts;
    }

    /// Posts an order of one tree in the ledger, whose upline has unlocked so much.
    fn post(&mut self, number: u64, adopter: &str, chain: &[&str], unlocks: &[UnlockState]) {
        let policy = Policy::default();
        let posting = Posting {
            account: account(adopter),
            trees: 1,
            total: amount_of("20000"),
            adoption_date: "2026-01-09".parse().expect("a date"),
            version: 1,
            province: None,
            city: None,
            chain: chain.iter().copied().map(account).collect(),
            unlocked: UnlockedLegs::of_upline(unlocks.iter().copied(), &policy),
        };
        let legs = posting.legs(&policy);
        for leg in &legs {
            let entry = self.ours.accounts.entry(leg.recipient.owner()).or_default();
            entry.total = entry.total.checked_add(leg.amount).expect("small");
        }
        let posted = OurAdoption::Posted { legs, trees: 1, total: posting.total, policy: Box::new(policy) };
        self.ours.adoptions.insert(order(number), posted);
    }

    /// Books the parts of an order in the earlier service as the ledger has them, but for what `change` makes of them.
    fn book(&mut self, number: u64, change: impl Fn(&mut EarlierLeg) -> bool) {
        self.booked_us += 1_000_000;
        let Some(OurAdoption::Posted { legs, .. }) = self.ours.adoptions.get(&order(number)) else {
            panic!("an order that is posted")
        };
        for leg in legs.clone() {
            let mut booked = self.same(number, &leg);
            if change(&mut booked) {
                if let Owner::User(user) = &booked.owner {
                    let total = self.earlier.accounts.entry(user.clone()).or_default();
                    *total = total.checked_add(booked.amount).expect("small");
                }
                self.earlier.legs.push(booked);
            }
        }
    }

    fn same(&self, number: u64, leg: &Leg) -> EarlierLeg {
        EarlierLeg {
            adoption: format!("adoption-{number}"),
            order: Some(order(number)),
            slot: leg.slot,
            owner: leg.recipient.owner(),
            would_be: leg.recipient.would_be().cloned(),
            amount: leg.amount,
            trees: Some(1),
            per_tree: amount("20000"),
            booked_us: self.booked_us,
        }
    }

    fn compared(&self) -> Comparison {
        let comparison = compare(&self.earlier, &self.ours).expect("small numbers");
        assert_eq!(comparison.check(), Ok(()));
        comparison
    }
}

fn reasons(comparison: &Comparison, name: &str) -> BTreeMap<Reason, String> {
    let owner = owner(name).expect("an owner");
    let found = comparison.accounts.get(&owner);
    let reasons = found.into_iter().flat_map(|account| &account.reasons);
    reasons.map(|(reason, amount)| (*reason, amount.to_string())).collect()
}

fn only(reason: Reason, amount: &str) -> BTreeMap<Reason, String> {
    BTreeMap::from([(reason, amount.to_owned())])
}

fn unlock(has_adopted: bool, directs: u32) -> UnlockState {
    UnlockState::new(has_adopted, directs, &Policy::default())
}

/// Keeps back from an account what the earlier service had not unlocked.
fn kept_back_from(name: &'static str) -> impl Fn(&mut EarlierLeg) -> bool {
    move |leg| {
        if leg.owner == Owner::User(account(name)) {
            leg.would_be = Some(account(name));
            leg.owner = owner("HEADQUARTERS").expect("an owner");
        }
        leg.would_be.is_some() || !matches!(leg.slot, Slot::TeamLevel(_) | Slot::TeamBonus(_))
    }
}

#[test]
fn an_adoption_that_both_services_share_out_alike_is_no_difference() {
    let mut world = World::new();
    world.post(1, "MIDDLE", &["TOP"], &[unlock(false, 1)]);
    world.book(1, |_| true);
    let comparison = world.compared();
    assert!(comparison.accounts.values().all(|account| account.reasons.is_empty()));
    assert_eq!(comparison.ours, amount_of("20000"));
}

#[test]
fn an_order_that_was_processed_before_a_smaller_one_is_a_matter_of_ordering() {
    let mut world = World::new();
    world.post(55, "MIDDLE", &["TOP"], &[unlock(false, 1)]);
    world.post(57, "LOW", &["MIDDLE"], &[unlock(true, 1)]);
    world.facts("MIDDLE", Some(55), &[57]);
    world.book(57, kept_back_from("MIDDLE"));
    world.book(55, |_| true);
    let comparison = world.compared();
    // Level 1 is 0.5 % and bonus tier 1 is 2.5 % of 20,000.
    assert_eq!(reasons(&comparison, "MIDDLE"), only(Reason::Ordering, "600.0000000000"));
    let leg = comparison.legs.iter().find(|leg| leg.reason == Reason::Ordering).expect("one");
    assert_eq!(leg.because_of, Some(order(55)));
}

#[test]
fn an_order_that_unlocks_its_own_part_counts_itself() {
    let mut world = World::new();
    world.post(55, "MIDDLE", &[], &[]);
    world.post(57, "LOW", &["MIDDLE"], &[unlock(true, 1)]);
    world.facts("MIDDLE", Some(55), &[57]);
    world.book(55, |_| true);
    world.book(57, |leg| {
        if leg.slot == Slot::TeamLevel(1) {
            leg.would_be = Some(account("MIDDLE"));
            leg.owner = owner("HEADQUARTERS").expect("an owner");
        }
        true
    });
    let comparison = world.compared();
    assert_eq!(reasons(&comparison, "MIDDLE"), only(Reason::CountsItself, "100.0000000000"));
    assert_eq!(reasons(&comparison, "HEADQUARTERS"), only(Reason::CountsItself, "-100.0000000000"));
}

#[test]
fn what_only_a_later_order_unlocked_and_what_nothing_unlocks_are_told_apart() {
    for (own, reason) in [(Some(99), Reason::UnlockedLater), (None, Reason::NotUnlocked)] {
        let mut world = World::new();
        world.post(57, "LOW", &["MIDDLE"], &[unlock(false, 1)]);
        world.facts("MIDDLE", own, &[57]);
        world.book(57, |leg| {
            if leg.slot == Slot::TeamLevel(1) {
                (leg.owner, leg.would_be) = (Owner::User(account("MIDDLE")), None);
            }
            true
        });
        assert_eq!(reasons(&world.compared(), "MIDDLE"), only(reason, "-100.0000000000"));
    }
}

#[test]
fn levels_above_the_end_of_the_chain_were_booked_nowhere() {
    let mut world = World::new();
    world.post(1, "MIDDLE", &["TOP"], &[unlock(false, 1)]);
    let Some(OurAdoption::Posted { legs, .. }) = world.ours.adoptions.get(&order(1)) else {
        panic!("posted")
    };
    let at_end: Vec<Slot> = legs
        .iter()
        .filter(|leg| matches!(leg.recipient, Recipient::Unallocated(domain::Unallocated::NoAncestor)))
        .map(|leg| leg.slot)
        .collect();
    assert_eq!(at_end.len(), 14);
    world.book(1, |leg| !at_end.contains(&leg.slot));
    assert_eq!(reasons(&world.compared(), "HEADQUARTERS"), only(Reason::ChainEnd, "1400.0000000000"));
}

#[test]
fn an_order_that_is_cancelled_held_or_unknown_is_taken_back_for_that_reason() {
    let adoptions = [
        (Some(OurAdoption::Absent), Reason::Cancelled),
        (Some(OurAdoption::Held("STATUS")), Reason::Cancelled),
        (Some(OurAdoption::Held("NO_REFERRAL")), Reason::Held),
        (None, Reason::UnknownAdoption),
    ];
    for (adoption, reason) in adoptions {
        let mut world = World::new();
        world.post(1, "MIDDLE", &[], &[]);
        world.book(1, |_| true);
        world.ours = Ours::default();
        if let Some(adoption) = adoption {
            world.ours.adoptions.insert(order(1), adoption);
        }
        assert_eq!(reasons(&world.compared(), "MIDDLE"), only(reason, "-14000.0000000000"));
    }
}

#[test]
fn doubles_other_prices_and_what_was_never_booked_have_their_reasons() {
    let mut world = World::new();
    for (number, adopter) in [(1, "D1"), (2, "D2"), (3, "D3"), (4, "D4")] {
        world.post(number, adopter, &[], &[]);
    }
    world.book(1, |_| true);
    world.book(1, |_| true);
    world.book(2, |leg| {
        leg.per_tree = amount("10000");
        leg.amount = Amount::from_units(leg.amount.units() / 2).expect("small");
        true
    });
    world.book(3, |leg| {
        leg.trees = Some(2);
        leg.amount = leg.amount.times(2).expect("small");
        true
    });
    let comparison = world.compared();
    assert_eq!(reasons(&comparison, "D1"), only(Reason::Double, "-14000.0000000000"));
    assert_eq!(reasons(&comparison, "D2"), only(Reason::Price, "7000.0000000000"));
    assert_eq!(reasons(&comparison, "D3"), only(Reason::Terms, "-14000.0000000000"));
    assert_eq!(reasons(&comparison, "D4"), only(Reason::NotBooked, "14000.0000000000"));
}

#[test]
fn an_account_that_disagrees_with_its_records_and_an_adjustment_are_reasons_too() {
    let mut world = World::new();
    world.post(1, "D1", &[], &[]);
    world.book(1, |_| true);
    world.earlier.accounts.insert(account("D1"), amount_of("13000"));
    let given = OurAccount { total: amount_of("5"), adjusted: amount_of("5"), facts: UnlockFacts::default() };
    world.ours.accounts.insert(Owner::User(account("D2")), given);
    let comparison = world.compared();
    assert_eq!(reasons(&comparison, "D1"), only(Reason::AccountDisagrees, "1000.0000000000"));
    assert_eq!(reasons(&comparison, "D2"), only(Reason::Adjusted, "5.0000000000"));
}

#[test]
fn a_date_shows_the_share_that_each_service_paid_by() {
    const HALF: i128 = 500_000_000_000_000_000;

    let mut world = World::new();
    let date: BusinessDate = "2026-01-10".parse().expect("a date");
    let row = |name, ratio| EarlierSnapshotRow {
        owner: owner(name).expect("an owner"),
        effective: amount_of("10"),
        network: amount_of("20"),
        ratio,
    };
    world.earlier.snapshots.insert(date, vec![row("D1", HALF), row("D2", HALF)]);
    let rows = BTreeMap::from([(Owner::User(account("D1")), (amount_of("20"), 2 * HALF))]);
    world.ours.dates.insert(date, OurDate { network: amount_of("20"), rows });
    let dates = compare_mining(&world.earlier, &world.ours).expect("small numbers");
    assert_eq!(
        (dates[0].differing(), dates[0].paid_too_much(), dates[0].earlier_ratio_sum),
        (2, HALF, 2 * HALF)
    );
}

/// Returns whether two English words follow each other in the text of a page.
fn page_has_english_words(page: &str) -> bool {
    let after_tags = page.split('<').filter_map(|part| part.split_once('>'));
    let mut texts = after_tags.filter(|(tag, _)| *tag != "style").map(|(_, text)| text);
    texts.any(has_english_words)
}

#[test]
fn the_page_is_in_english_or_in_chinese_throughout() {
    let mut world = World::new();
    for number in 1..=501 {
        world.post(number, &format!("D{number}"), &[], &[]);
    }
    let date: BusinessDate = "2026-01-10".parse().expect("a date");
    world.ours.dates.insert(date, OurDate::default());
    let dates = compare_mining(&world.earlier, &world.ours).expect("small numbers");
    let page = |language| page::page(&world.compared(), &dates, language).expect("small numbers");
    let (english, chinese) = (page(Language::English), page(Language::Chinese));
    assert!(
        english.contains("<html lang=\"en\">") && page_has_english_words(&english) && !is_chinese(&english)
    );
    assert!(chinese.contains("<html lang=\"zh-CN\">") && chinese.contains("<title>账本与此前的服务</title>"));
    assert!(chinese.contains("此处为最大的 500 项") && chinese.contains("没有快照"), "{chinese}");
    assert!(!page_has_english_words(&chinese), "{chinese}");
    assert_eq!(english.matches("<td").count(), chinese.matches("<td").count());
}

#[test]
fn every_reason_is_explained_in_both_languages() {
    for reason in Reason::ALL {
        let (english, chinese) = (reason.meaning(Language::English), reason.meaning(Language::Chinese));
        assert!(!is_chinese(english) && is_chinese(chinese), "{english} / {chinese}");
    }
}
