//! An audit compares talent with what the referrers give, and a repair puts it right.

use std::collections::BTreeMap;

use domain::recalculate::{Difference, TalentFault};
use domain::{AccountSequence, TalentLevel};
use oracle::generate::Plan;
use serde_json::json;
use store::talent::{self, Mark, MarkKind, StoredTalent, TakenIn, Talent, TalentCause, TalentShards};
use store::{Engine, Segment, Written};

use crate::audits::report;
use crate::stack::Stack;

/// Puts something into a record that no function puts there.
type Damage = fn(&mut Talent);

/// What is damaged, and what the audit says of it.
const DAMAGES: [(TalentFault, Damage); 6] = [
    (TalentFault::Referrer, |talent| talent.referrer = Some("OTHER".parse().expect("an account"))),
    (TalentFault::Ring, |talent| talent.ring = 7),
    (TalentFault::Team, |talent| talent.team.people[0] += 1),
    (TalentFault::Level, |talent| {
        talent.level = TalentLevel::new(talent.level.get() + 1);
        talent.published = talent.level;
    }),
    (TalentFault::Published, |talent| talent.published = TalentLevel::new(talent.published.get() + 2)),
    (TalentFault::Reports, |talent| {
        let report = talent.report(0);
        let other = "OTHER".parse().expect("an account");
        talent.taken_in.insert(other, TakenIn { at: 1, report: Some(report) });
    }),
];

async fn talents(engine: &dyn Engine) -> BTreeMap<AccountSequence, StoredTalent> {
    let (records, next) = talent::scan(engine, Segment::WHOLE, None).await.expect("memory answers");
    assert!(next.is_none(), "one page");
    records.into_iter().collect()
}

/// Returns what of a record follows from the referrers.
fn follows(stored: &StoredTalent) -> impl PartialEq + std::fmt::Debug + use<> {
    let Talent { referrer, link_at, ring, team, level, published, .. } = stored.talent.clone();
    (referrer, link_at, ring, team, level, published)
}

async fn put(engine: &dyn Engine, account: &AccountSequence, stored: &StoredTalent, talent: &Talent) {
    let written = engine.write(talent::put(account, talent, stored.revision)).await;
    assert_eq!(written, Ok(Written::Done));
}

#[tokio::test]
async fn talent_that_is_not_what_the_referrers_give_is_named_and_put_right() {
    let stack = Stack::fed(&Plan { adoptions: 20, changes: 40, ..Plan::deep(6) }).await;
    let engine = &*stack.engine;
    let before = talents(engine).await;
    let clean = report(&stack).await;
    assert_eq!(clean.found.differences, []);
    assert_eq!(clean.talents, Some(before.len() as u64), "all of them were compared");
    let with_a_team = before.iter().filter(|(_, stored)| stored.talent.awaits_user_since.is_none());
    let (account, _) =
        with_a_team.max_by_key(|(_, stored)| stored.talent.team.promotion_count()).expect("one");
    for (fault, damage) in DAMAGES {
        let stored = talents(engine).await.remove(account).expect("it is there");
        let mut damaged = stored.talent.clone();
        damage(&mut damaged);
        put(engine, account, &stored, &damaged).await;
        let found = report(&stack).await.found;
        let named = Difference::Talent { account: account.clone(), fault };
        assert_eq!(found.differences, [named], "{fault:?}");
        let function = ledger_audit::build(&stack.settings).expect("valid settings");
        let answer = stack.harness.invoke(&function, json!({ "repair": true })).await.expect("it audits");
        assert_eq!(answer["rebuilt"], 1, "{answer:#}");
        stack.settle().await;
        assert_eq!(report(&stack).await.found.differences, [], "{fault:?}");
        let after = talents(engine).await;
        assert_eq!(after.len(), before.len());
        for (account, stored) in &after {
            assert_eq!(follows(stored), follows(&before[account]), "{fault:?} {account}");
        }
    }
    let operations = store::lists::operations(engine, None, 100).await.expect("memory answers");
    let repairs = operations.iter().filter(|operation| operation.by == "ledger-audit");
    assert_eq!(repairs.count(), DAMAGES.len(), "each repair has one entry");
}

#[tokio::test]
async fn talent_that_is_being_propagated_is_not_judged() {
    let stack = Stack::fed(&Plan { adoptions: 20, changes: 40, ..Plan::deep(6) }).await;
    let engine = &*stack.engine;
    let (account, stored) = talents(engine).await.pop_first().expect("one");
    let damaged = Talent { ring: 7, ..stored.talent.clone() };
    put(engine, &account, &stored, &damaged).await;
    let cause = TalentCause::ReferralChanged { account: account.clone() };
    let mark = Mark { account, kind: MarkKind::Report, raised_by: 1, cause };
    talent::raise(engine, TalentShards::beside(stack.settings.account_shards), vec![mark])
        .await
        .expect("memory answers");
    let report = report(&stack).await;
    assert_eq!((report.talents, report.found.differences), (None, Vec::new()));
}
