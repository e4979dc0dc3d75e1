//! What a large source costs.

use std::sync::atomic::Ordering;

use end_to_end::capture::CaptureRecord;
use end_to_end::{generate, oracle};

use crate::faults::{TalentWrites, with_interceptor};
use crate::support::{Ledger, Source, feed, sweep};

/// Bounds of what is written down in the decision about talent levels. Run it with `--nocapture` to
/// see the figures, and with `TALENT_BULK_ACCOUNTS` for other sizes.
#[tokio::test]
async fn a_snapshot_sends_no_messages_and_settles_each_account_about_once() {
    let accounts =
        std::env::var("TALENT_BULK_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let records = generate::bulk(accounts, 0, 1);
    let expected = oracle::expected(&records, &oracle::Options::default())["talent"].clone();
    let rows: Vec<CaptureRecord> =
        records.into_iter().filter(|record| !record.topic.starts_with("__")).collect();

    let ledger = Ledger::start().await;
    let ingest_writes = TalentWrites::default();
    let ingest = ledger.functions_with(with_interceptor(&ledger.clients.dynamodb, ingest_writes.clone()));
    let sweep_writes = TalentWrites::default();
    let sweeper = ledger.functions_with(with_interceptor(&ledger.clients.dynamodb, sweep_writes.clone()));

    feed(&ingest, &rows, 1000).await;
    let messages = ledger.waiting_messages().await;
    let reads_before = sweeper.propagator.meter.cost().read_units;
    sweep(&sweeper, &ledger.store).await;
    assert_eq!(ledger.export().await, expected);

    #[expect(clippy::cast_precision_loss, reason = "counts are for reading, and far below 2^52")]
    let per_referral = |count: u64| count as f64 / accounts as f64;
    let count = |writes: &TalentWrites| writes.items.load(Ordering::Relaxed);
    let sweep_cost = sweeper.propagator.meter.cost();
    println!("accounts                          {accounts}");
    println!("messages                          {messages}");
    println!("items written, ingest             {:.2} per referral", per_referral(count(&ingest_writes)));
    println!("items written, sweep              {:.2} per referral", per_referral(count(&sweep_writes)));
    println!("transactions, ingest              {}", ingest_writes.transactions.load(Ordering::Relaxed));
    println!("transactions, sweep               {}", sweep_writes.transactions.load(Ordering::Relaxed));
    println!("write units, sweep                {:.0}", sweep_cost.write_units);
    println!("read units, sweep                 {:.0}", sweep_cost.read_units - reads_before);
    assert_eq!(messages, 0);
    assert!(per_referral(count(&ingest_writes)) < 5.0);
    assert!(per_referral(count(&sweep_writes)) < 3.0);
}

#[tokio::test]
async fn a_streamed_referral_below_twenty_ancestors_writes_each_of_them_at_most_twice() {
    let ledger = Ledger::start().await;
    let mut source = Source::default();
    ledger.feed(&source.chain(24), 1000).await;
    ledger.sweep().await;
    let writes = TalentWrites::default();
    let counted = ledger.functions_with(with_interceptor(&ledger.clients.dynamodb, writes.clone()));
    let items = || writes.items.load(Ordering::Relaxed);

    feed(&counted, &[source.referral("N", Some("C24"))], 1).await;
    let at_once = items();
    sweep(&counted, &ledger.store).await;
    println!("items written, first referral     {at_once} at once, {} above", items() - at_once);
    assert!(at_once <= 5 && items() <= 45);

    // Many below one account before its mark is worked from: what is above is written once for all.
    let before = items();
    let together: Vec<CaptureRecord> =
        (0..100).map(|number| source.referral(&format!("M{number}"), Some("C24"))).collect();
    for referral in together.chunks(10) {
        feed(&counted, referral, 10).await;
    }
    let at_once = items() - before;
    sweep(&counted, &ledger.store).await;
    println!("items written, 100 in 10 batches  {at_once} at once, {} above", items() - before - at_once);
    assert!(items() - before - at_once <= 45);
    assert_eq!(ledger.numbers("C5").await.1, 19 + 101);
}
