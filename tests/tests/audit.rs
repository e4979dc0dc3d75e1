//! The audit finds what is damaged and nothing else, and repairs what the ledger can; explanations
//! agree with the journal.

#[path = "audit/explanations.rs"]
mod explanations;
#[path = "audit/ledger.rs"]
mod ledger;

use ::ledger::queue::{Release, RunReleased};
use ::ledger::rules::{OrderId, Policy, Recipient, Slot, SystemAccount, UnlockFacts};
use ::ledger::store::{
    AccountChange, Action, BatchWrite, Frame, HoldReason, Item, JournalEntry, Key, OutstandingTree,
    ReassessTask, Shard, Stage, SystemShareChange, TreeId, WorkItem,
};
use anyhow::Result;
use contribution::close::close_until;
use ledger_audit::Kind;
use serde_json::json;

use crate::ledger::{CAPTURES, Ledger, account, amount, date, order};

#[tokio::test]
async fn a_clean_ledger_has_no_differences() -> Result<()> {
    for name in CAPTURES {
        let ledger = Ledger::of(name).await?;
        let report = ledger.audit(false).await?;
        assert!(report.is_clean(), "{name}: {report}");
        assert!(report.in_progress.is_nothing(), "{name}: {report}");
        assert!(report.examined.entries > 0 && report.examined.accounts > 0, "{name}: {report}");
    }
    Ok(())
}

#[tokio::test]
async fn a_ledger_that_was_corrected_has_no_differences() -> Result<()> {
    let ledger = Ledger::corrected().await?;
    let report = ledger.audit(false).await?;
    assert!(report.is_clean(), "{report}");
    assert!(report.in_progress.is_nothing(), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_ledger_with_backfill_on_unlock_has_no_differences_and_a_leg_not_moved_is_found() -> Result<()> {
    let ledger = Ledger::backfilled("ordering-incident.jsonl").await?;
    let report = ledger.audit(false).await?;
    assert!(report.is_clean(), "{report}");
    assert!(report.in_progress.is_nothing(), "{report}");
    ledger.move_leg(57, Slot::TeamLevel(1), "!LOCKED:D25122700018").await?;
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::OwnerWrong]);
    Ok(())
}

#[tokio::test]
async fn the_audit_in_many_parts_finds_what_the_audit_in_one_finds() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let in_parts = ledger.audit_in_parts().await?;
    assert!(in_parts.examined.parts > 3, "{in_parts}");
    assert!(in_parts.is_clean(), "{in_parts}");
    ledger.add_to_total("D25122700018", "team_level", "0.0000000001").await?;
    let (in_parts, whole) = (ledger.audit_in_parts().await?, ledger.audit(false).await?);
    assert_eq!(in_parts.differences, whole.differences);
    assert_eq!(in_parts.counts[&Kind::TotalWrong], 1);
    Ok(())
}

#[tokio::test]
async fn a_changed_amount_in_an_entry_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger.change_entry(57, |entry| entry.legs[0].amount = amount("31663.8000000001")).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::EntryAmountWrong, "57");
    ledger::assert_finds(&report, Kind::ConservationBroken, "57");
    ledger::assert_finds(&report, Kind::TotalWrong, "D25122700019");
    assert!(report.differences.iter().all(|difference| difference.repair.is_none()), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_total_that_is_off_by_the_smallest_unit_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger.add_to_total("D25122700018", "personal", "0.0000000001").await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::TotalWrong]);
    let difference = &report.differences[0];
    assert_eq!(difference.expected, "47638.1871000000");
    assert_eq!(difference.found, "47638.1871000001");
    assert_eq!(difference.repair, None, "which of both is right is for a person to say");
    Ok(())
}

#[tokio::test]
async fn an_amount_pending_on_another_date_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let change = AccountChange {
        pending: [(date("2026-01-10"), amount("-1")), (date("2026-01-11"), amount("1"))].into(),
        ..AccountChange::default()
    };
    ledger.apply(change.write(&account("D25122700018"))).await?;
    let system = SystemShareChange {
        pending: [(date("2026-01-10"), amount("1"))].into(),
        ..SystemShareChange::default()
    };
    let shard = Shard::all().next().expect("a shard");
    ledger.apply(system.write(shard, &SystemAccount::Operation)).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::PendingWrong, Kind::SystemPendingWrong]);
    Ok(())
}

#[tokio::test]
async fn a_missing_entry_is_found_and_not_posted_twice() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger.apply(Action::delete(Key::entry(order(57), 0))).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::EntryMissing, "57");
    ledger::assert_finds(&report, Kind::TotalWrong, "D25122700019");
    let missing = report.differences.iter().find(|difference| difference.kind == Kind::EntryMissing);
    assert_eq!(missing.expect("found").repair, None, "the totals hold the legs already");
    Ok(())
}

#[tokio::test]
async fn a_doubled_entry_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let entry = ledger.entry(57).await?;
    let doubled = JournalEntry { number: 1, ..entry.clone() };
    ledger.apply(doubled.write()?).await?;
    let misnumbered =
        Item::encode(&Key::entry(order(58), 1), &JournalEntry { number: 3, ..ledger.entry(58).await? });
    ledger.apply(Action::put(misnumbered)?).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_finds(&report, Kind::EntryDoubled, "57");
    ledger::assert_finds(&report, Kind::ConservationBroken, "57");
    ledger::assert_finds(&report, Kind::EntryNumberGap, "58");
    Ok(())
}

#[tokio::test]
async fn an_entry_of_an_unknown_or_a_held_adoption_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let entry = ledger.entry(57).await?;
    for number in [26, 9_999] {
        ledger.apply(JournalEntry { order: order(number), ..entry.clone() }.write()?).await?;
    }
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::EntryOfUnknownAdoption]);
    assert_eq!(report.counts[&Kind::EntryOfUnknownAdoption], 2);
    Ok(())
}

#[tokio::test]
async fn an_entry_with_other_facts_or_dates_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger.change_entry(57, |entry| entry.account = account("D25122700018")).await?;
    ledger.change_entry(58, |entry| entry.term.expire_date = date("2028-01-11")).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_finds(&report, Kind::EntryFactsWrong, "57");
    ledger::assert_finds(&report, Kind::EntryTermWrong, "58");
    Ok(())
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_found_and_the_rest_is_audited() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let unreadable = Item::at(&Key::entry(order(57), 0)).with_text("legs", "PERSONAL");
    ledger.apply(Action::put(unreadable)?).await?;
    ledger.add_to_total("D25122700001", "personal", "1").await?;
    let report = ledger.audit(false).await?;
    ledger::assert_finds(&report, Kind::EntryUnreadable, "Journal[ORDER#57 / 0000]");
    ledger::assert_finds(&report, Kind::TotalWrong, "D25122700001");
    Ok(())
}

#[tokio::test]
async fn a_wrong_owner_in_an_entry_is_found_and_left_to_a_person() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger
        .change_entry(57, |entry| {
            let leg = entry.legs.iter_mut().find(|leg| leg.slot == Slot::TeamLevel(1)).expect("a level 1");
            leg.recipient = "D25122700015".parse().expect("an owner");
        })
        .await?;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::OwnerWrong, "57");
    ledger::assert_finds(&report, Kind::TotalWrong, "D25122700018");
    assert!(report.differences.iter().all(|difference| difference.repair.is_none()), "{report}");
    Ok(())
}

#[tokio::test]
async fn legs_that_are_with_the_wrong_account_everywhere_are_reassessed() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    // As if the unlock of D25122700018 had been missed: entry and totals agree with each other.
    let leg = ledger.move_leg(57, Slot::TeamLevel(1), "!LOCKED:D25122700018").await?;
    assert_eq!(leg, amount("226.1700000000"));
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::OwnerWrong]);
    assert_eq!(report.differences[0].expected, "D25122700018");
    assert_eq!(report.differences[0].found, "!LOCKED:D25122700018");
    assert_eq!(report.differences[0].repair.as_deref(), Some("the adoption is being reassessed"));
    ledger.settles_clean().await?;
    assert_eq!(ledger.entries(57).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_wrong_would_be_account_is_found_and_reassessed() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger
        .change_entry(57, |entry| {
            let leg = entry.legs.iter_mut().find(|leg| leg.slot == Slot::TeamLevel(3)).expect("a level 3");
            assert_eq!(leg.recipient.to_string(), "!LOCKED:D25122700014");
            leg.recipient = "!LOCKED:D25122700013".parse::<Recipient>().expect("a recipient");
        })
        .await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::WouldBeWrong]);
    ledger.settles_clean().await?;
    Ok(())
}

#[tokio::test]
async fn wrong_unlock_facts_are_found_and_recomputed() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    for wrong in [UnlockFacts::default(), ledger::facts(Some(1), [2, 3, 4, 5, 6])] {
        let change = AccountChange { unlock: Some(wrong), ..AccountChange::default() };
        ledger.apply(change.write(&account("D25122700018"))).await?;
        let report = ledger.audit(true).await?;
        ledger::assert_only(&report, &[Kind::UnlockFactsWrong]);
        assert_eq!(report.differences[0].expected, "first order 55, 1 direct adopters [57]");
        ledger.settles_clean().await?;
        assert_eq!(ledger.entries(57).await?.len(), 1, "nothing had been decided by the wrong facts");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_decided_by_wrong_facts_is_put_right_with_them() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let change = AccountChange { unlock: Some(UnlockFacts::default()), ..AccountChange::default() };
    ledger.apply(change.write(&account("D25122700018"))).await?;
    ledger.move_leg(57, Slot::TeamLevel(1), "!LOCKED:D25122700018").await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::OwnerWrong, Kind::UnlockFactsWrong]);
    ledger.settles_clean().await?;
    Ok(())
}

#[tokio::test]
async fn a_ledger_with_closed_dates_is_clean_and_a_wrong_effective_amount_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    close_until(ledger.stack(), date("2026-01-12"), Release::SourceIsComplete).await?;
    let report = ledger.audit(false).await?;
    assert!(report.is_clean(), "{report}");
    ledger.add_to_total("D25122700018", "effective", "0.0000000001").await?;
    let key = Key::system(Shard::all().next().expect("a shard"), &SystemAccount::Operation);
    ledger.apply(Action::update(key).add("effective", "0.0000000001")).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::EffectiveWrong, Kind::SystemEffectiveWrong]);
    ledger::assert_finds(&report, Kind::EffectiveWrong, "D25122700018");
    Ok(())
}

#[tokio::test]
async fn a_system_account_that_is_off_is_found() -> Result<()> {
    let ledger = Ledger::of("flattened-regions.jsonl").await?;
    let shard = Shard::all().last().expect("a shard");
    let off = SystemShareChange { total: amount("0.0000000001"), ..SystemShareChange::default() };
    ledger.apply(off.write(shard, &SystemAccount::Headquarters)).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::SystemTotalWrong]);
    ledger::assert_finds(&report, Kind::SystemTotalWrong, "HEADQUARTERS");
    Ok(())
}

#[tokio::test]
async fn a_total_of_all_users_that_is_off_is_found() -> Result<()> {
    let ledger = Ledger::of("flattened-regions.jsonl").await?;
    let shard = Shard::all().last().expect("a shard");
    let off = SystemShareChange { users: amount("0.0000000001"), ..SystemShareChange::default() };
    ledger.apply(off.write(shard, &SystemAccount::Operation)).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::UsersTotalWrong]);
    Ok(())
}

#[tokio::test]
async fn a_stale_and_a_missing_cursor_are_found_and_moved_on() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let (tree, cursor) = ledger.trees().await?.into_iter().next().expect("a tree");
    ledger.apply(cursor.advance(&tree, Some(OrderId::MIN))).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::CursorStale]);
    ledger.apply(Action::delete(Key::tree(&tree))).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::CursorStale]);
    assert_eq!(ledger.trees().await?[0].1.last_order, cursor.last_order);
    let third = ledger.audit(false).await?;
    assert!(third.is_clean(), "{third}");
    Ok(())
}

#[tokio::test]
async fn work_and_tasks_that_nobody_would_do_are_found_and_done() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let (record, ancestors, trees) = ledger.adoption_with_chain(57).await?;
    let work = WorkItem {
        order: order(57),
        revision: record.revision,
        account: account("D25122700019"),
        ancestors,
        trees: trees.clone(),
        again: true,
    };
    ledger.apply(Action::put(work.item())?).await?;
    let task = ReassessTask {
        frames: vec![Frame { account: account("D25122700018"), depth: 0, after: None }],
        ..ReassessTask::new(
            trees[0].clone(),
            order(55),
            0,
            account("D25122700018"),
            ::ledger::rules::OrderRange { from: OrderId::MIN, to: None },
        )
    };
    ledger.apply(task.write()?).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::WorkNotOutstanding, Kind::TaskNotOutstanding]);
    ledger.settle().await?;
    let second = ledger.audit(false).await?;
    assert!(second.is_clean() && second.in_progress.is_nothing(), "{second}");
    Ok(())
}

#[tokio::test]
async fn facts_that_were_enough_for_another_policy_are_completed_before_they_decide() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    // Of ten direct adopters, seven whose orders were kept are gone; what two others adopted is not kept.
    let mut short = ledger::facts(Some(55), std::iter::once(57).chain(1001..=1009));
    for gone in 1001..=1007 {
        short.direct_first_order_changed(Some(order(gone)), None);
    }
    assert!(short.needs_refill(&Policy::default()));
    let change = AccountChange { unlock: Some(short), ..AccountChange::default() };
    ledger.apply(change.write(&account("D25122700018"))).await?;
    ledger.move_leg(57, Slot::TeamLevel(1), "!LOCKED:D25122700018").await?;
    let (_, _, trees) = ledger.adoption_with_chain(57).await?;
    let all = ::ledger::rules::OrderRange { from: OrderId::MIN, to: None };
    let task = ReassessTask::new(trees[0].clone(), order(55), 0, account("D25122700018"), all);
    ledger.apply(task.write()?).await?;
    let body = serde_json::to_string(&RunReleased { tree: trees[0].clone(), run: None })?;
    let event = json!({ "Records": [{ "messageId": "m", "body": body }] });
    let response = ledger.stack().functions.distributor.invoke(event).await?;
    assert_eq!(response, json!({ "batchItemFailures": [] }));
    assert_eq!(
        ledger.entries(57).await?.len(),
        2,
        "the share is moved back, by what was read of the referrals"
    );
    Ok(())
}

#[tokio::test]
async fn a_tree_that_got_work_after_it_was_settled_stays_on_the_list_if_it_is_settled_twice() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let (_, _, trees) = ledger.adoption_with_chain(57).await?;
    ledger.apply(OutstandingTree::release(&trees[0], 1)).await?;
    let first = ledger.store().outstanding_tree(&trees[0]).await?.expect("it has work");
    assert!(ledger.store().settle_tree(&first).await?);
    ledger.apply(OutstandingTree::release(&trees[0], 2)).await?;
    // As a client does that did not hear the answer.
    assert!(!ledger.store().settle_tree(&first).await?);
    assert!(ledger.store().outstanding_tree(&trees[0]).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_tree_that_stopped_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let tree = TreeId::below(account("D25122700099"));
    ledger.apply(OutstandingTree::release(&tree, chrono::Utc::now().timestamp_millis())).await?;
    ledger.store().set_tree_stopped(&tree, Some("AMOUNT_OVERFLOW: too large")).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_only(&report, &[Kind::TreeStopped]);
    assert_eq!(report.differences[0].found, "AMOUNT_OVERFLOW: too large");
    Ok(())
}

#[tokio::test]
async fn a_held_adoption_whose_reason_is_gone_is_found_and_released() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let before = ledger.adoption(26).await?;
    let mut after = before.clone();
    let status = "ACTIVE".parse().expect("a status");
    after.row.as_mut().expect("a row").status = status;
    let item = Item::encode(&Key::adoption(order(26)), &after);
    ledger.apply(Action::put(item)?).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::HoldReasonGone, "26");
    ledger.settles_clean().await?;
    assert_eq!(ledger.entries(26).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn items_that_are_missing_from_lists_or_orphans_on_them_are_found_and_put_right() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let gone = [
        Key::held(order(26)),
        Key::adopter_order(&account("D25122700019"), order(57)),
        Key::child(&account("D25122700018"), &account("D25122700019")),
    ];
    for key in gone {
        ledger.apply(Action::delete(key)).await?;
    }
    let orphans = [
        Item::at(&Key::held(order(57))).with_text("reason", HoldReason::Status.name()),
        Item::at(&Key::held(order(9_999))).with_text("reason", HoldReason::Status.name()),
        Item::at(&Key::adopter_order(&account("D25122700018"), order(57))),
        Item::at(&Key::child(&account("D25122700019"), &account("D25122700018"))),
    ];
    ledger.store().batch_write(orphans.map(BatchWrite::Put).into()).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::ListItemMissing, Kind::ListItemOrphan]);
    assert_eq!(report.counts[&Kind::ListItemMissing], 3, "{report}");
    assert_eq!(report.counts[&Kind::ListItemOrphan], 4, "{report}");
    let second = ledger.audit(false).await?;
    assert!(second.is_clean(), "{second}");
    Ok(())
}

#[tokio::test]
async fn a_posted_adoption_that_was_cancelled_unnoticed_is_found_and_reversed() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let before = ledger.adoption(57).await?;
    let mut after = before.clone().on(Stage::Held(HoldReason::Status));
    after.row.as_mut().expect("a row").status = "CANCELLED".parse().expect("a status");
    after.counted_trees = 0;
    ledger.transact(after.replace(Some(&before), chrono::Utc::now())?).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::EntryUnexpected, "57");
    ledger::assert_finds(&report, Kind::UnlockFactsWrong, "D25122700018");
    ledger.settle().await?;
    let second = ledger.audit(false).await?;
    ledger::assert_only(&second, &[Kind::LadderWrong]);
    Ok(())
}

#[tokio::test]
async fn where_fewer_statuses_are_distributable_than_were_repair_reverses_and_counts_no_more() -> Result<()> {
    let policy = r#"{"distributable_statuses": ["MINING_ENABLED", "CONFIRMED", "ACTIVE"]}"#;
    let ledger = Ledger::under("ordering-incident.jsonl", policy).await?;
    let trees_before = ledger.store().ladder().await?.trees;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::EntryUnexpected, "31");
    ledger::assert_finds(&report, Kind::CountedTreesWrong, "31");
    ledger.settles_clean().await?;
    assert!(ledger.store().ladder().await?.trees < trees_before);
    Ok(())
}

#[tokio::test]
async fn where_more_statuses_are_distributable_than_were_repair_distributes() -> Result<()> {
    let policy =
        r#"{"distributable_statuses": ["MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE", "CREATED"]}"#;
    let ledger = Ledger::under("ordering-incident.jsonl", policy).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_finds(&report, Kind::HoldReasonGone, "69");
    ledger.settles_clean().await?;
    assert_eq!(ledger.entries(69).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_wrong_running_number_of_trees_is_found_and_an_adoption_s_own_count_is_put_right() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let ladder = ledger.store().ladder().await?;
    let wrong = ::ledger::store::Ladder { trees: ladder.trees + 1, ..ladder };
    ledger.apply(wrong.replace(ladder)?).await?;
    let mut record = ledger.adoption(57).await?;
    record.counted_trees += 1;
    ledger.apply(Action::put(Item::encode(&Key::adoption(order(57)), &record))?).await?;
    let report = ledger.audit(true).await?;
    ledger::assert_only(&report, &[Kind::CountedTreesWrong]);
    ledger.settles_clean().await?;
    assert_eq!(ledger.store().ladder().await?.trees, ladder.trees);
    ledger.apply(Action::delete(Key::ladder())).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_finds(&report, Kind::LadderWrong, "SEQUENCE");
    Ok(())
}

#[tokio::test]
async fn a_wrong_lineage_is_found() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    let mut record = ledger.referral("D25122700019").await?;
    record.lineage.as_mut().expect("a lineage").ancestors.swap(0, 1);
    ledger.apply(record.write_next()?).await?;
    let report = ledger.audit(false).await?;
    ledger::assert_finds(&report, Kind::LineageWrong, "D25122700019");
    Ok(())
}

#[tokio::test]
async fn what_waits_for_its_turn_is_in_progress_and_no_difference() -> Result<()> {
    let ledger = Ledger::stopped_after_feeding("ordering-incident.snapshot.jsonl").await?;
    let report = ledger.audit(false).await?;
    assert!(report.is_clean(), "{report}");
    assert!(report.in_progress.staged > 0, "{report}");
    Ok(())
}
