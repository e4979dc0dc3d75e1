//! Prints how many writes a second the tables take:
//! `cargo run --release -p local-tables --example measure -- DIRECTORY`.
//!
//! Without a directory it measures tables in memory.

use std::env;
use std::path::Path;
use std::time::Instant;

use local_tables::SqliteEngine;
use store::{Condition, Engine, Item, Key, MemoryEngine, Table, Write, Written};

const WRITES: u64 = 20_000;
const BATCH: u64 = 200;
const PAGES: u64 = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let engine: Box<dyn Engine> = match env::args().nth(1) {
        None => Box::new(MemoryEngine::default()),
        Some(directory) => match SqliteEngine::open(Path::new(&directory)) {
            Ok(engine) => Box::new(engine),
            Err(error) => return eprintln!("{error}"),
        },
    };
    let put = |name: &str, number: u64, bytes: usize| {
        // Scattered over the partitions, as accounts are.
        let partition = format!("{name}#{:05}", number.wrapping_mul(7_919) % 10_007);
        let key = Key::new(Table::Ledger, partition, format!("{number:012}"));
        Write::put(Item::new(key, number, vec![7; bytes]), Condition::Absent)
    };

    let started = Instant::now();
    for number in 0..WRITES {
        assert_eq!(engine.write(put("single", number, 250)).await, Ok(Written::Done));
    }
    print("single puts of 250 bytes", WRITES, started);

    let started = Instant::now();
    for batch in 0..WRITES / BATCH {
        let writes = (batch * BATCH..(batch + 1) * BATCH).map(|number| put("many", number, 1_000)).collect();
        assert!(engine.write_many(writes).await.into_iter().all(|outcome| outcome == Ok(Written::Done)));
    }
    print("puts of 1,000 bytes, 200 in a call", WRITES, started);

    let started = Instant::now();
    for batch in 0..WRITES / BATCH {
        // Every hundredth item at a time, so that each batch is scattered over all of them.
        let numbers = (0..BATCH).map(|number| number * (WRITES / BATCH) + batch);
        let update = |number| {
            let put = put("many", number, 1_000);
            Write { condition: Condition::Revision(number), ..put }
        };
        let writes = numbers.map(update).collect();
        assert!(engine.write_many(writes).await.into_iter().all(|outcome| outcome == Ok(Written::Done)));
    }
    print("updates of 1,000 bytes, 200 in a call, scattered", WRITES, started);

    let started = Instant::now();
    for page in 0..PAGES {
        let key = Key::new(Table::Log, "LOG", format!("{page:012}"));
        let write = Write::put(Item::new(key, page, vec![9; 64 * 1_024]), Condition::Absent);
        assert_eq!(engine.write(write).await, Ok(Written::Done));
    }
    print("single puts of 64 KB", PAGES, started);

    let started = Instant::now();
    for batch in 0..WRITES / BATCH {
        let keys = (batch * BATCH..(batch + 1) * BATCH).map(|number| put("many", number, 0).key().clone());
        let found = engine.get_many(keys.collect()).await.expect("a read works");
        assert_eq!(found.len() as u64, BATCH);
    }
    print("gets of 1,000 bytes, 200 in a call", WRITES, started);
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand calls are counted")]
fn print(what: &str, count: u64, started: Instant) {
    println!("{:>9.0}/s {what}", count as f64 / started.elapsed().as_secs_f64());
}
