//! Random changes, invocations that run at once, end anywhere and come again. In the end everything is as the
//! independent judge says.

use std::task::{Context as Task, Waker};

use chrono::TimeDelta;
use domain::Link;
use serde_json::{Value, json};

use crate::support::{Bench, Running, queue_event, schedule, stream, under, user};

/// How many histories are tried, unless the variable `HISTORIES` says otherwise. `FIRST_SEED` is that of the first one.
const HISTORIES: u64 = 60;

/// A small generator of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("below the end")
    }
}

fn policies() -> [Value; 3] {
    let rows = [
        json!([{ "direct_count": 1 }, { "direct_count": 2, "promotion_count": 4 }]),
        json!([
            { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } },
            { "direct_count": 2 },
            { "direct_count": 2, "direct_at_level": { "level": 2, "count": 1 } },
        ]),
        json!([
            { "direct_count": 1, "promotion_count": 3 },
            { "direct_count": 1, "direct_at_level": { "level": 1, "count": 2 } },
            { "direct_count": 1, "promotion_count": 5, "direct_at_level": { "level": 2, "count": 1 } },
        ]),
    ];
    rows.map(|rows| json!({ "talent": { "rows": rows } }))
}

/// Moves some accounts, mostly a few and sometimes many, among so few that rings are common.
async fn change_something(bench: &mut Bench, random: &mut Random, accounts: usize) {
    let name = |number: usize| format!("A{number:02}");
    let mut moves: Vec<(String, Link)> = Vec::new();
    for _ in 0..=random.below(4) {
        let link = match random.below(10) {
            0 => Link::Missing,
            1 => Link::Root,
            _ => under(&name(random.below(accounts))),
        };
        moves.push((name(random.below(accounts)), link));
    }
    let moves: Vec<(&str, Link)> =
        moves.iter().map(|(account, link)| (account.as_str(), link.clone())).collect();
    bench.move_accounts(&moves).await;
    if random.below(2) == 0 {
        let row = (random.below(6) > 0).then_some(user(None));
        bench.set_user(&name(random.below(accounts)), row).await;
    }
}

fn next_event(bench: &Bench, random: &mut Random) -> Value {
    let mut sent = bench.sent.0.lock().expect("no panic");
    match random.below(4) {
        0 => schedule(),
        1 | 2 if !sent.is_empty() => {
            let place = random.below(sent.len());
            // Some messages are lost, and some are delivered more than once.
            let body = if random.below(3) == 0 { sent[place].clone() } else { sent.swap_remove(place) };
            queue_event(&[body])
        }
        _ => stream(),
    }
}

async fn history(seed: u64) {
    let mut random = Random(seed);
    let policy = &policies()[random.below(3)];
    let accounts = [4, 9, 30][random.below(3)];
    let mut bench = Bench::new(policy);
    let mut running: Vec<Running> = Vec::new();
    let mut task = Task::from_waker(Waker::noop());
    let mut changes = 4 + random.below(24);
    while changes > 0 || !running.is_empty() {
        match random.below(40) {
            0 if changes > 0 => {
                changes -= 1;
                change_something(&mut bench, &mut random, accounts).await;
            }
            1 if running.len() < 4 && changes > 0 => {
                let event = next_event(&bench, &mut random);
                running.push(bench.begin(event));
            }
            2 if !running.is_empty() && random.below(6) == 0 => {
                // It ends between two calls, or while one is on its way.
                let place = random.below(running.len());
                drop(running.swap_remove(place));
            }
            _ if !running.is_empty() => {
                // Now step by step, now one long before the others, which act late on what they read early.
                let place = random.below(running.len());
                let steps = [1, 12, 300][random.below(3)];
                for _ in 0..=random.below(steps) {
                    if running[place].as_mut().poll(&mut task).is_ready() {
                        drop(running.swap_remove(place));
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    bench.sent.0.lock().expect("no panic").clear();
    // Every invocation has ended when the schedule comes.
    bench.clock.advance(TimeDelta::seconds(61));
    bench.invoke(schedule()).await;
    bench.assert_settled(&format!("seed {seed}")).await;
}

#[tokio::test]
async fn every_level_is_right_in_the_end_however_invocations_interleave_and_end() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let first = variable("FIRST_SEED").unwrap_or_default();
    for seed in first..first + variable("HISTORIES").unwrap_or(HISTORIES) {
        history(seed).await;
    }
}
