//! Random histories, compared with the oracle.

use domain::decide::Parameters;
use domain::heads::AdoptionState;
use domain::log::{AdjustmentTerms, Command, Entry, PauseScope, Paused};
use domain::{Amount, BusinessDate, OrderId, Owner, SystemAccount, VersionTerms};
use oracle::generate::{Plan, history};

use crate::bench::{Bench, Unkindness, user};
use crate::expected::assert_as_the_oracle_says;
use crate::random::Random;

/// How many histories are run where nothing else is asked for.
const HISTORIES: u64 = 24;
/// 2026-02-09 04:00 in Shanghai: the day before the histories' own.
const BEGINS_MS: i64 = 1_770_580_800_000;
const DAY_MS: i64 = 86_400_000;

const POLICIES: [&str; 8] = [
    r#"{"price_ladder": {"start_tree_number": 8, "unit_size": 5}}"#,
    r#"{"term_years": 1, "backfill": "on_unlock"}"#,
    r#"{"distributable_statuses": ["PAID", "CREATED"]}"#,
    r#"{"team_requires_own_adoption": false, "bonus_tier_steps": [1, 2]}"#,
    r#"{"level_count": 2, "depth_steps": [{"direct_adopters": 1, "depth": 2}],
        "rates": {"personal": "0.765"}}"#,
    r#"{"level_count": 0, "depth_steps": [], "rates": {"personal": "0.775"}, "backfill": "on_unlock"}"#,
    r#"{"level_count": 20, "depth_steps": [{"direct_adopters": 2, "depth": 20}],
        "rates": {"personal": "0.675"}}"#,
    r#"{"never_expires": ["HEADQUARTERS", "OPERATION"], "bounds": {"trees_max": 9},
        "depth_steps": [{"direct_adopters": 7, "depth": 15}]}"#,
];

fn histories() -> u64 {
    std::env::var("HISTORIES").map_or(HISTORIES, |text| text.parse().expect("a number of histories"))
}

/// Returns the seed of the first history.
fn first_seed() -> u64 {
    std::env::var("FIRST_SEED").map_or(0, |text| text.parse().expect("a seed"))
}

#[test]
fn whatever_the_arrival_the_log_adds_up_to_what_the_oracle_says() {
    for seed in first_seed()..first_seed() + histories() {
        let outcome = std::panic::catch_unwind(|| run(seed));
        if let Err(panic) = outcome {
            eprintln!("the history of seed {seed} went wrong (FIRST_SEED={seed} HISTORIES=1)");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Runs the history of a seed.
fn run(seed: u64) {
    let mut random = Random::new(seed ^ 0x00DE_C1DE);
    let plan = if random.percent(30) { Plan::deep(seed) } else { Plan::small(seed) };
    let plan = Plan { oddities: random.percent(60), changes: 80, ..plan };
    let parameters = Parameters {
        settle_ms: *random.choose(&[0, 0, 5_000, 60_000]),
        brake_adoptions: *random.choose(&[2, 1_000, u64::MAX]),
        page_bytes_max: *random.choose(&[1, 300, 2_000, 65_536]),
        guard_factor: random.percent(50).then_some(10),
        first_date: BusinessDate::new(2026, 1, 25),
        ..Parameters::default()
    };
    let policy = random.choose(&POLICIES);
    let mut bench = Bench::new(seed, policy, parameters, BEGINS_MS);
    bench.unkindness = Unkindness {
        lost: *random.choose(&[0, 5, 20]),
        killed: *random.choose(&[0, 5, 20]),
        behind: *random.choose(&[0, 50, 100]),
        forgotten: *random.choose(&[0, 10]),
        partial: *random.choose(&[0, 30]),
        unreadable: *random.choose(&[0, 0, 0, 1]),
    };
    let step_ms = 2 * DAY_MS / 80;
    for transaction in &history(&plan).transactions {
        for change in &transaction.changes {
            let announced = bench.source.apply(change, bench.now_ms);
            if let Some(announced) = announced {
                bench.announce(announced);
            }
            if random.percent(10) {
                bench.run_once(60, None);
            }
        }
        if random.percent(12) {
            command(&mut bench, &mut random);
        }
        if random.percent(35) {
            let percent = *random.choose(&[30, 100]);
            let read_through_ms = bench.now_ms - i64::try_from(random.below(3_000)).expect("small");
            bench.run_once(percent, Some(read_through_ms));
        }
        let step = i64::try_from(random.below(u64::try_from(step_ms).expect("positive"))).expect("small");
        bench.now_ms += step.min(BEGINS_MS + 2 * DAY_MS - bench.now_ms);
    }
    finish(&mut bench);
    bench.invariants.check_sums();
    assert_as_the_oracle_says(&bench);
    assert_eq!(bench.network_at(bench.last_position()), *bench.network(), "a replay gives the same");
    if std::env::var("SHOW").is_ok() {
        let counts = &bench.network().counts;
        let mut kinds: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
        for entry in bench.entries() {
            let name = format!("{entry:?}");
            *kinds.entry(name.split([' ', '(']).next().expect("a name").to_owned()).or_default() += 1;
        }
        eprintln!("{seed}: {} pages, {counts:?}, {kinds:?}", bench.pages.len());
    }
    assert_closes_in_sequence(&bench);
    assert_adjustments_were_covered(&bench);
}

/// Lets everything come to an end that waits for time or for an operator.
fn finish(bench: &mut Bench) {
    // Only what could not be read for a time needs an operator's repair.
    if bench.unkindness.unreadable > 0 {
        bench.command(Command::Repair { order: None });
    }
    bench.unkindness = Unkindness { behind: bench.unkindness.behind, ..Unkindness::default() };
    for scope in [PauseScope::Posting, PauseScope::Corrections, PauseScope::Closing] {
        bench.command(Command::Resume { scope });
    }
    bench.run();
    for _ in 0..20 {
        if bench.network().due.is_empty() {
            break;
        }
        bench.now_ms += bench.parameters.settle_ms + 1;
        bench.command(Command::LetGo { what: Paused::Brake });
        bench.run();
        if bench.network().counts.orders_waiting + bench.network().counts.uplines_waiting == 0 {
            break;
        }
    }
    assert_eq!(bench.network().walks.len(), 0);
    for (order, head) in bench.adoptions() {
        assert_eq!(head.waiting, None, "{order}");
        assert!(!matches!(head.state, AdoptionState::Unpriced), "{order}");
    }
}

fn command(bench: &mut Bench, random: &mut Random) {
    let scope = *random.choose(&[PauseScope::Posting, PauseScope::Corrections, PauseScope::Closing]);
    let command = match random.below(12) {
        0 => Command::Pause { scope },
        1..=3 => Command::Resume { scope },
        4 | 5 => introduce(bench, random),
        6 | 7 => adjust(random),
        8 => Command::Repair { order: OrderId::new(1 + random.below(30)) },
        9 => Command::TakeOverPlaces { places: vec![(some_order(random), random.below(200))] },
        10 => Command::LetGo { what: Paused::Brake },
        _ => Command::Close {
            until: bench.parameters.date_at(bench.now_ms),
            source_is_complete: random.percent(70),
        },
    };
    bench.command(command);
}

fn some_order(random: &mut Random) -> OrderId {
    OrderId::new(1 + random.below(60)).expect("not zero")
}

fn introduce(bench: &Bench, random: &mut Random) -> Command {
    let today = bench.parameters.date_at(bench.now_ms);
    let days = u16::try_from(random.below(90)).expect("small");
    let from: BusinessDate = if random.percent(20) { today.plus_days(days) } else { today.minus_days(days) };
    let until = random.percent(30).then(|| from.plus_days(20));
    let latest = bench.network().versions.iter().count();
    Command::Introduce(Box::new(VersionTerms {
        number: u32::try_from(latest).expect("few versions") + 1,
        from: Some(from),
        until,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: (*random.choose(&POLICIES)).to_owned(),
    }))
}

fn adjust(random: &mut Random) -> Command {
    let mut owner = || match random.below(4) {
        0 => Owner::System(SystemAccount::Headquarters),
        _ => Owner::User(user(&format!("D{:09}", 1 + random.below(12)))),
    };
    let (giver, receiver) = (owner(), owner());
    Command::Adjust(Box::new(AdjustmentTerms {
        giver,
        receiver,
        amount: Amount::from_units(1 + i128::from(random.below(9_000_000_000_000_000))).expect("small"),
        effective_date: BusinessDate::new(2026, 1, 1).expect("a date"),
        expire_date: None,
        reference: "a test".to_owned(),
    }))
}

fn assert_closes_in_sequence(bench: &Bench) {
    let mut previous: Option<BusinessDate> = None;
    for entry in bench.entries() {
        if let Entry::Close(terms) = entry {
            assert_eq!(terms.previous, previous);
            assert!(previous.is_none_or(|previous| previous.next() == terms.date));
            previous = Some(terms.date);
        }
    }
}

fn assert_adjustments_were_covered(bench: &Bench) {
    for page in &bench.pages {
        for entry in &page.entries {
            if let Entry::Adjusted(terms) = entry {
                let total = bench.totals_at(page.position).get(&terms.giver).copied().unwrap_or_default();
                // Other entries of the page may have changed it since, so only the order of size is checked.
                assert!(total >= -terms.amount, "{terms:?}");
            }
        }
    }
}
