//! A refund after the expiry, and everything that is published around it (`events/cases/ledger`, case 03).

use std::collections::BTreeMap;

use domain::heads::lines_of;
use domain::log::{Cause, Correction, Entry, UplineChange};
use domain::proof::{Secret, verify_rows};
use domain::snapshot::Row;
use domain::{Amount, BusinessDate, Link, Owner, Ratio, Versions};
use store::snapshots;

use crate::support::{CLOSED, Stage, account, amount, date, order, owner, posted, posting};

fn hangs(name: &str, referrer: Option<&str>) -> Entry {
    Entry::Upline(UplineChange {
        account: account(name),
        before: Link::Missing,
        after: referrer.map_or(Link::Root, |referrer| Link::Under(account(referrer))),
        first_order: None,
    })
}

/// Makes D1, D2 below it, D3 below that, and four adoptions, the first two of which end before the refund of
/// the second.
async fn until_the_refund(stage: &Stage) {
    stage.page(vec![hangs("D1", None), hangs("D2", Some("D1")), hangs("D3", Some("D2"))]).await;
    stage
        .page(vec![
            posted(1, posting("D1", "1000", "2023-12-30", &[])),
            posted(2, posting("D2", "1000", "2023-12-31", &[("D1", true, 1)])),
            posted(3, posting("D3", "1000", "2025-06-01", &[("D2", true, 1), ("D1", true, 1)])),
            posted(4, posting("D2", "200", "2025-06-01", &[("D1", true, 1)])),
        ])
        .await;
    stage.close("2023-12-31", "2026-02-10").await;
}

/// Takes the second adoption back; what the third paid follows.
async fn refund(stage: &Stage) {
    let was = posting("D3", "1000", "2025-06-01", &[("D2", true, 1), ("D1", true, 1)]);
    let is = posting("D3", "1000", "2025-06-01", &[("D2", false, 1), ("D1", true, 0)]);
    stage
        .page(vec![
            Entry::Withdrawn {
                order: order(2),
                posting: Box::new(posting("D2", "1000", "2023-12-31", &[("D1", true, 1)])),
                first_order: None,
                cause: Cause::Row,
            },
            Entry::Corrected(Box::new(Correction { order: order(3), was, is, cause: Cause::Row })),
        ])
        .await;
    stage.close("2023-12-31", "2026-02-11").await;
}

#[tokio::test]
async fn headquarters_balance_after_a_refund_is_the_sum_of_its_active_records() {
    let stage = Stage::new();
    until_the_refund(&stage).await;
    stage.invoke().await;
    refund(&stage).await;
    stage.try_invoke(CLOSED, 1_000_000).await.expect("it works");

    let headquarters = |day: &'static str| stage.on(day, "HEADQUARTERS");
    let effective =
        |(carried, _): (Option<domain::snapshot::CarriedAccount>, _)| carried.expect("it has").effective;
    assert_eq!(effective(headquarters("2023-12-31").await), amount("150"));
    assert_eq!(effective(headquarters("2026-02-10").await), amount("409"), "150 + 120 + 115 + 24");
    assert_eq!(effective(headquarters("2026-02-11").await), amount("324"), "150 + 150 + 24");

    // Its records that are active on the date, from the log.
    let versions = Versions::starting("{}").expect("a policy");
    let pages = store::log::read_after(&*stage.engine, 0, 10_000).await.expect("pages");
    let records = pages.iter().flat_map(|page| {
        page.entries.iter().flat_map(|entry| lines_of(entry, page.position, 0, page.time_ms, &versions))
    });
    let records = records.filter(|(owner, line)| {
        *owner == self::owner("HEADQUARTERS") && line.is_active_on(date("2026-02-11"))
    });
    assert_eq!(Amount::sum(records.map(|(_, line)| line.amount())), Ok(amount("324")));
}

#[tokio::test]
async fn on_every_date_rows_sum_to_the_lines_that_are_active_at_its_cut() {
    let stage = Stage::new();
    until_the_refund(&stage).await;
    refund(&stage).await;
    stage.invoke().await;
    let versions = Versions::starting("{}").expect("a policy");
    let pages = store::log::read_after(&*stage.engine, 0, 10_000).await.expect("pages");
    let lines: Vec<_> = pages
        .iter()
        .flat_map(|page| page.entries.iter().map(move |entry| (page, entry)))
        .flat_map(|(page, entry)| lines_of(entry, page.position, 0, page.time_ms, &versions))
        .collect();
    let mut before = None;
    let mut dates = 0;
    loop {
        let manifests = snapshots::manifests(&*stage.engine, before, 100).await.expect("manifests");
        if manifests.is_empty() {
            break;
        }
        for manifest in manifests {
            let active = lines
                .iter()
                .filter(|(_, line)| line.position <= manifest.cut && line.is_active_on(manifest.date));
            let sum = Amount::sum(active.map(|(_, line)| line.amount())).expect("small");
            assert_eq!(manifest.totals.network, sum, "on {}", manifest.date);
            let rows = rows_of(&stage, &manifest).await;
            assert_eq!(Amount::sum(rows.iter().map(|row| row.effective)), Ok(sum));
            assert_eq!(rows.len() as u64, manifest.totals.rows);
            let ratios = rows.iter().try_fold(Ratio::ZERO, |sum, row| sum.checked_add(row.ratio));
            assert_eq!(ratios, Some(Ratio::ONE));
            before = Some(manifest.date);
            dates += 1;
        }
    }
    assert_eq!(dates, 774, "every date from 2023-12-31 to 2026-02-11");
}

async fn rows_of(stage: &Stage, manifest: &domain::snapshot::Manifest) -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 0.. {
        let page = snapshots::ranked(&*stage.engine, manifest, number).await.expect("rows");
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    rows
}

#[tokio::test]
async fn a_date_is_published_with_ranks_teams_restated_dates_and_proofs() {
    let stage = Stage::new();
    until_the_refund(&stage).await;
    refund(&stage).await;
    stage.invoke().await;
    let engine = &*stage.engine;
    let latest = snapshots::latest(engine).await.expect("it can be read").expect("dates are closed");
    assert_eq!((latest.date, latest.first_date), (date("2026-02-11"), date("2023-12-31")));
    assert_eq!((latest.policy_version, latest.ranked_on), (1, latest.date));

    let rows = rows_of(&stage, &latest).await;
    let ranks: Vec<String> = rows.iter().map(|row| format!("{} {}", row.owner, row.effective)).collect();
    assert_eq!(
        ranks,
        [
            "D3 700.0000000000",
            "HEADQUARTERS 324.0000000000",
            "OPERATION 144.0000000000",
            "D2 140.0000000000",
            "CITY 24.0000000000",
            "PROVINCE 12.0000000000",
            "D1 6.0000000000"
        ]
    );
    assert_eq!((latest.totals.users, latest.totals.system), (amount("846"), amount("504")));

    let secret = Secret::new("a test");
    assert_eq!(verify_rows(&rows, latest.date, &secret, latest.root), Ok(()));
    for row in &rows {
        let calls = stage.engine.count(|tables| &tables.calls);
        let proof = snapshots::proof(engine, latest.date, &row.owner, &secret).await.expect("a proof");
        assert_eq!(stage.engine.count(|tables| &tables.calls) - calls, 2, "two calls for a proof");
        assert_eq!(proof.verify(latest.root), Ok(()));
    }
    let none = snapshots::proof(engine, latest.date, &owner("D9"), &secret).await;
    assert_eq!(none, Err(snapshots::ProofError::NoRow));
    let other = snapshots::proof(engine, latest.date, &owner("D1"), &Secret::new("another")).await;
    assert!(matches!(other, Err(snapshots::ProofError::OtherSecret { .. })));

    let team = |carried: Option<domain::snapshot::CarriedAccount>| {
        let team = carried.expect("it is carried").team;
        (team.levels()[..2].to_vec(), team.total(), team.direct_adopters)
    };
    let calls = stage.engine.count(|tables| &tables.calls);
    let (carried, row) = stage.on("2026-02-11", "D1").await;
    assert_eq!(stage.engine.count(|tables| &tables.calls) - calls, 2, "two calls for an account");
    assert_eq!((team(carried), row), ((vec![1, 1], 2, 1), Some(amount("6"))));
    assert_eq!(team(stage.on("2026-02-10", "D1").await.0), (vec![2, 1], 3, 1), "before the refund");
    assert_eq!(team(stage.on("2024-06-01", "D1").await.0), (vec![1, 0], 1, 1), "as of an earlier date");

    let restated = snapshots::restated(engine, latest.date, 0).await.expect("a list");
    assert_eq!(restated.len() as u64, latest.restated);
    let of_d1: Vec<String> = restated
        .iter()
        .filter(|restated| restated.owner == owner("D1"))
        .map(|restated| format!("{} {} {}", restated.first_date, restated.last_date, restated.difference))
        .collect();
    // What it had of the second adoption until it ended, and of the third.
    assert_eq!(
        of_d1,
        [
            "2024-01-01 2025-06-01 -30.0000000000",
            "2025-06-02 2025-12-31 -35.0000000000",
            "2026-01-01 2026-02-10 -5.0000000000"
        ]
    );
    assert_eq!(snapshots::restated(engine, date("2026-02-10"), 0).await, Ok(Vec::new()));
}

#[tokio::test]
async fn dates_on_which_nothing_happens_cost_at_most_six_calls_and_five_write_units_each() {
    let stage = Stage::new();
    until_the_refund(&stage).await;
    stage.try_invoke(CLOSED, 1_000_000).await.expect("it works");
    let dates = 773;
    let (calls, units) =
        (stage.engine.count(|tables| &tables.calls), stage.engine.count(|tables| &tables.write_units));
    println!("{dates} dates, nearly all of them empty: {calls} calls, {units} write units");
    assert!(calls <= dates * 6, "{calls} calls");
    assert!(units <= dates * 5, "{units} units, the page of the close in the index included");
    let (first, last) = (stage.on("2024-03-01", "D2").await, stage.on("2024-05-01", "D2").await);
    assert_eq!(first, last);
    let kept = stage.snapshots().await;
    let pages: BTreeMap<&str, usize> = kept.keys().fold(BTreeMap::new(), |mut pages, key| {
        *pages.entry(key.partition.split('#').next().expect("a kind")).or_default() += 1;
        pages
    });
    assert_eq!(pages["MANIFESTS"], 773);
    assert_eq!((pages["ACCOUNTS"], pages["RANKED"]), (5, 5), "only where something begins or ends");
}

#[tokio::test]
async fn a_date_whose_headquarters_row_is_below_zero_waits_until_an_adjustment_puts_it_right() {
    let stage = Stage::new();
    let moved = |giver: &str, receiver: &str, units: &str| {
        Entry::Adjusted(Box::new(domain::log::AdjustmentTerms {
            giver: owner(giver),
            receiver: owner(receiver),
            amount: amount(units),
            effective_date: date("2026-01-02"),
            expire_date: None,
            reference: "a test".to_owned(),
        }))
    };
    stage.page(vec![hangs("D1", None), posted(1, posting("D1", "1000", "2026-01-01", &[]))]).await;
    stage.close("2026-01-02", "2026-01-02").await;
    stage.page(vec![moved("HEADQUARTERS", "D1", "200")]).await;
    stage.close("2026-01-02", "2026-01-04").await;
    stage.invoke().await;
    let engine = &*stage.engine;
    let latest = async || snapshots::latest(engine).await.expect("it can be read").expect("a date is closed");
    assert_eq!(latest().await.date, date("2026-01-02"));
    let wait = snapshots::wait(engine).await.expect("it can be read").expect("a date waits");
    assert_eq!((wait.date, wait.headquarters), (date("2026-01-03"), amount("-50")));

    let calls = stage.engine.count(|tables| &tables.calls);
    stage.invoke().await;
    assert!(stage.engine.count(|tables| &tables.calls) - calls <= 6, "it does not compute again for nothing");

    stage.page(vec![moved("D1", "HEADQUARTERS", "40")]).await;
    stage.page(vec![moved("D1", "HEADQUARTERS", "20")]).await;
    stage.page(vec![moved("D1", "HEADQUARTERS", "90")]).await;
    stage.invoke().await;
    assert_eq!(snapshots::wait(engine).await, Ok(None));
    let third = snapshots::manifest(engine, date("2026-01-03")).await.expect("read").expect("it is closed");
    assert_eq!((third.closed_at, third.cut), (4, 7), "the first page with which it can be published");
    assert_eq!((third.totals.headquarters, third.totals.network), (amount("10"), amount("1000")));
    let fourth = latest().await;
    assert_eq!((fourth.date, fourth.closed_at, fourth.cut), (date("2026-01-04"), 5, 7), "cuts never go back");
    assert_eq!(third.restated, 2, "D1 and HEADQUARTERS, on 2 January: what is moved in all");
    let restated = snapshots::restated(engine, third.date, 0).await.expect("a list");
    assert!(
        restated
            .iter()
            .all(|one| one.first_date == date("2026-01-02") && one.last_date == date("2026-01-02"))
    );
    assert_eq!(restated[0].difference, amount("140"), "{restated:?}");
    stage.close("2026-01-02", "2026-01-05").await;
    stage.invoke().await;
    assert_eq!(latest().await.totals.headquarters, amount("100"), "with the page after the cut");
}

#[tokio::test]
async fn what_never_closed_has_no_snapshot_and_a_first_date_without_anything_has_one() {
    let stage = Stage::new();
    stage.invoke().await;
    assert_eq!(snapshots::latest(&*stage.engine).await, Ok(None));
    stage.close("2026-01-02", "2026-01-03").await;
    stage.invoke().await;
    let latest = snapshots::latest(&*stage.engine).await.expect("it can be read").expect("dates are closed");
    assert_eq!((latest.date, latest.totals.rows), (date("2026-01-03"), 1));
    assert_eq!((latest.totals.network, latest.totals.headquarters_ratio), (Amount::ZERO, Ratio::ONE));
    let unknown: Owner = owner("D1");
    let found = snapshots::account(&*stage.engine, latest.date, &unknown).await.expect("it can be read");
    let found = found.expect("the date is closed");
    assert_eq!((found.row, found.carried), (None, None));
    let later: BusinessDate = date("2026-01-04");
    assert_eq!(snapshots::account(&*stage.engine, later, &unknown).await, Ok(None));
}
