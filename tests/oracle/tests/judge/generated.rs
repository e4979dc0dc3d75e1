//! Random histories: what the generator promises, and what holds of every judgement.

use std::collections::BTreeMap;

use chrono::Days;
use oracle::generate::{self, Change, History, Plan, Row, Shape};
use oracle::rows::{PrimaryKey, Table};
use oracle::{Amount, Backfill, HoldReason, Inputs, Judgement, Policy, Ratio, Versions, reader};

/// Histories of every kind, a few hundred.
fn histories() -> impl Iterator<Item = (Plan, History)> {
    let plans = (0..300).map(Plan::small).chain((0..40).map(Plan::deep));
    plans.map(|plan| {
        let history = generate::history(&plan);
        (plan, history)
    })
}

fn judged(plan: &Plan, history: &History) -> Judgement {
    Judgement::of(&Inputs::new(history.tables.clone(), plan.today))
}

#[test]
fn a_seed_always_makes_the_same_history_and_another_one_another() {
    assert_eq!(generate::history(&Plan::small(7)), generate::history(&Plan::small(7)));
    assert_ne!(generate::history(&Plan::small(7)), generate::history(&Plan::small(8)));
}

#[test]
fn the_transactions_of_a_history_lead_to_its_tables() {
    for (plan, history) in histories() {
        let mut rows: BTreeMap<(Table, PrimaryKey), Row> = BTreeMap::new();
        for change in history.transactions.iter().flat_map(|transaction| &transaction.changes) {
            let known = match change {
                Change::Insert(row) => {
                    assert!(rows.insert((row.table(), row.key().clone()), row.clone()).is_none(), "{plan:?}");
                    continue;
                }
                Change::Update { before, after } => {
                    assert_eq!(before.key(), after.key(), "{plan:?}");
                    rows.insert((after.table(), after.key().clone()), after.clone())
                        .map(|known| (known, before))
                }
                Change::Delete(row) => {
                    rows.remove(&(row.table(), row.key().clone())).map(|known| (known, row))
                }
            };
            let (known, before) = known.expect("the row is there");
            assert_eq!(&known, before, "{plan:?}");
        }
        let tables = &history.tables;
        assert_eq!(rows.len(), tables.users.len() + tables.referrals.len() + tables.adoptions.len());
        let kept = tables.adoptions.iter().map(|row| Row::Adoption(row.clone()));
        let kept = kept.chain(tables.referrals.iter().map(|row| Row::Referral(row.clone())));
        for row in kept.chain(tables.users.iter().map(|row| Row::User(row.clone()))) {
            assert_eq!(rows.get(&(row.table(), row.key().clone())), Some(&row), "{plan:?}");
        }
    }
}

#[test]
fn a_history_read_from_its_capture_gives_the_same_ledger() {
    for (plan, history) in histories() {
        let tables = reader::final_tables(&history.records()).expect("readable");
        let read = Judgement::of(&Inputs::new(tables, plan.today));
        assert_eq!(read.full(plan.today), judged(&plan, &history).full(plan.today), "{plan:?}");
    }
}

#[test]
fn the_order_of_the_rows_changes_nothing() {
    for (plan, history) in histories() {
        let mut tables = history.tables.clone();
        tables.users.reverse();
        tables.referrals.reverse();
        tables.adoptions.reverse();
        let reversed = Judgement::of(&Inputs::new(tables, plan.today));
        assert_eq!(reversed.full(plan.today), judged(&plan, &history).full(plan.today), "{plan:?}");
    }
}

#[test]
fn legs_sum_to_their_adoption_and_everything_to_the_whole() {
    for (plan, history) in histories() {
        for backfill in [Backfill::None, Backfill::OnUnlock] {
            let mut inputs = Inputs::new(history.tables.clone(), plan.today);
            inputs.versions = Versions::only(Policy { backfill, ..Policy::default() });
            assert_conserved(&Judgement::of(&inputs), &plan);
        }
    }
}

fn assert_conserved(judgement: &Judgement, plan: &Plan) {
    for order_id in judgement.posted() {
        let distribution = judgement.distribution(order_id).expect("posted");
        let sum: Amount = distribution.legs.iter().map(|leg| leg.amount).sum();
        assert_eq!(sum, distribution.total, "{order_id} of {plan:?}");
        assert!(distribution.legs.iter().all(|leg| leg.amount > Amount::ZERO), "{order_id} of {plan:?}");
    }
    let users: Amount = judgement.accounts().values().map(oracle::Account::total).sum();
    let system: Amount = judgement.system_accounts().values().map(|account| account.balance).sum();
    assert_eq!(users + system, judgement.distributed_total(), "{plan:?}");

    for days in [0, 1, 400, 4_000] {
        let snapshot = judgement.snapshot(plan.today + Days::new(days)).expect("nothing is negative");
        let ratios: Ratio = snapshot.rows.values().map(|row| row.ratio).sum();
        assert_eq!(ratios, Ratio::ONE, "{plan:?}");
        let rows: Amount = snapshot.rows.values().map(|row| row.effective).sum();
        assert_eq!(rows, snapshot.network_total, "{plan:?}");
    }
}

#[test]
fn histories_meet_every_reason_and_every_kind_of_oddity() {
    let mut reasons: BTreeMap<HoldReason, usize> = BTreeMap::new();
    let (mut shadowed, mut odd_regions, mut moved_places, mut posted) = (0, 0, 0, 0);
    for (plan, history) in histories() {
        let judgement = judged(&plan, &history);
        for reason in judgement.held.values() {
            *reasons.entry(*reason).or_default() += 1;
        }
        shadowed += judgement.shadowed.len();
        odd_regions += judgement.odd_regions.len();
        posted += judgement.posted().count();
        let ladder = judgement.price_book.values().filter(|place| place.before >= 1_000);
        moved_places += ladder.count();
    }
    for reason in [
        HoldReason::Status,
        HoldReason::InvalidTerms,
        HoldReason::NotYet,
        HoldReason::NoReferral,
        HoldReason::ReferralCycle,
    ] {
        assert!(reasons.get(&reason).is_some_and(|count| *count > 10), "{reasons:?}");
    }
    let counts = [shadowed, odd_regions, moved_places, posted];
    assert!(
        shadowed > 100 && odd_regions > 20 && moved_places > 20 && posted > 2_000,
        "{counts:?} {reasons:?}"
    );
}

#[test]
fn each_generated_shape_has_the_forest_of_its_name() {
    let talents = |shape| {
        let tables = generate::tables(&Plan::large(3, 400, 0, shape));
        Judgement::of(&Inputs::new(tables, Plan::small(0).today)).talents()
    };
    let flat = talents(Shape::Flat);
    assert!(flat.values().all(|talent| talent.direct_count == 0));
    let star = talents(Shape::OneRoot);
    assert_eq!(star["D000000001"].direct_count, 399);
    let chain = talents(Shape::Recent { of_last: 1 });
    assert_eq!((chain["D000000001"].direct_count, chain["D000000001"].promotion_count), (1, 20));
    assert!(talents(Shape::Uniform).values().any(|talent| talent.direct_count > 4));
}
