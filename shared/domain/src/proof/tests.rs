//! Proofs of all shapes, and everything that must be refused.

use std::process::Command;

use serde_json::json;

use super::*;
use crate::log::PageHash;
use crate::snapshot::{CarriedState, DayChanges, Placement, Row, Totals};
use crate::{Amount, BusinessDate, Owner};

const SECRET: &str = "the secret of a test";

/// The snapshot of a date with `count` accounts beside HEADQUARTERS.
struct Published {
    date: BusinessDate,
    rows: Vec<Row>,
    leaves: Vec<Leaf>,
    tree: Tree,
    root: PageHash,
}

impl Published {
    fn new(count: u64) -> Self {
        let date = "2026-02-11".parse().expect("a date");
        let owner =
            |number: u64| -> Owner { format!("D{:011}", number + 25_122_700_001).parse().expect("an owner") };
        let amount = |number: u64| Amount::from_units(i128::from(number * number + 1) * 7_777_777_777);
        let amounts = (0..count).map(|number| (owner(number), amount(number).expect("small")));
        let mut state = CarriedState::default();
        state.apply(&DayChanges::of_amounts(amounts)).expect("small");
        state.finish();
        let totals = Totals::of(&state).expect("not below zero");
        let rows: Vec<Row> = state.accounts().filter_map(|account| totals.row_of(account)).collect();
        let secret = Secret::new(SECRET);
        let leaf = |row: &Row| Leaf::of(row, date, &secret.salt(date, &row.owner));
        let leaves: Vec<Leaf> = rows.iter().map(leaf).collect();
        let mut builder = TreeBuilder::new(totals.rows);
        leaves.iter().try_for_each(|leaf| builder.add(*leaf)).expect("small");
        let tree = builder.finish();
        let root = tree.root(date).expect("small");
        assert_eq!(tree.sum(), Ok(totals.network));
        Self { date, rows, leaves, tree, root }
    }

    fn proof(&self, index: usize) -> RowProof {
        let block = self.tree.block_of(index as u64);
        let place = |index: u64| usize::try_from(index).expect("small");
        let leaves = &self.leaves[place(block.start)..place(block.end)];
        let row = &self.rows[index];
        RowProof::of(row, self.date, &Secret::new(SECRET), &self.tree, index as u64, leaves).expect("small")
    }
}

#[test]
fn published_roots_and_proofs_are_those_that_members_have() {
    // Another hash here means that every proof which was handed out fails.
    let published = Published::new(40);
    let proof = serde_json::to_vec(&published.proof(17)).expect("it can be written");
    assert_eq!(
        published.root.to_string(),
        "3d471c6934cc727d73996a674db97494dab0645b68a1f3c377693c3a39328d62"
    );
    assert_eq!(
        PageHash::of(&proof).to_string(),
        "c41bd37ab081cd77aacc8dad004ee183de8fa9054ebcbcfc734ca7a9f4a7db1b"
    );
}

#[test]
fn every_row_is_proved_whatever_the_number_of_rows() {
    for count in [0, 1, 2, 4, 6, 40] {
        let published = Published::new(count);
        for index in 0..published.rows.len() {
            assert_eq!(published.proof(index).verify(published.root), Ok(()), "{index} of {count}");
        }
    }
    // With one more row, for HEADQUARTERS: at and around the numbers at which nodes begin to carry sums.
    for count in [1_022, 1_023, 2_046, 2_047, 4_200] {
        let published = Published::new(count);
        for index in (0..published.rows.len()).step_by(1_009).chain([published.rows.len() - 1]) {
            assert_eq!(published.proof(index).verify(published.root), Ok(()), "{index} of {count}");
        }
    }
}

#[test]
fn nodes_over_1024_leaves_and_more_carry_their_sum_and_lower_ones_do_not() {
    for count in [1_022, 1_023, 2_046, 4_200] {
        let published = Published::new(count);
        let proof = published.proof(5);
        let turns = shape::way_up(proof.rows, 5);
        for (turn, step) in turns.iter().zip(&proof.path) {
            let text = step.to_string();
            assert_eq!(text.contains('+'), turn.sibling_leaves >= 1_024, "{count} {turn:?} {text}");
            assert!(turn.leaves >= 1_024 || !text.contains('='), "{count} {turn:?} {text}");
        }
        let has_sum = proof.path.iter().any(|step| step.to_string().contains('='));
        assert_eq!(has_sum, count + 1 >= 1_024, "the lowest sum on the way is stated");
    }
}

#[test]
fn a_proof_that_was_tampered_with_is_refused() {
    let published = Published::new(4_200);
    let (proof, root) = (published.proof(77), published.root);
    let refused = |change: &dyn Fn(&mut RowProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        assert_ne!(changed, proof, "something was changed");
        assert!(changed.verify(root).is_err(), "{changed:?}");
    };
    let more = |amount: Amount| Amount::from_units(amount.units() + 1).expect("small");
    let neighbour = published.proof(78);
    refused(&|proof| proof.effective = more(proof.effective));
    refused(&|proof| proof.ratio = published.rows[78].ratio);
    refused(&|proof| proof.network_total = more(proof.network_total));
    refused(&|proof| proof.account = published.rows[78].owner.clone());
    refused(&|proof| proof.date = proof.date.next());
    refused(&|proof| proof.salt = neighbour.salt);
    refused(&|proof| proof.rows += 1);
    for index in [76, 78, 0, 4_200, 4_201, u64::MAX] {
        refused(&|proof| proof.index = index);
    }
    let other = published.proof(4_000);
    for place in 0..proof.path.len() {
        refused(&|proof| {
            proof.path.remove(place);
        });
        refused(&|proof| proof.path[place] = other.path[place].clone());
        let text = proof.path[place].to_string();
        // Each digit of each sum, and each sum moved away.
        for (digit, byte) in text.bytes().enumerate().skip(43).filter(|(_, byte)| byte.is_ascii_digit()) {
            let other = if byte == b'9' { '0' } else { char::from(byte + 1) };
            let changed = format!("{}{other}{}", &text[..digit], &text[digit + 1..]);
            refused(&|proof| proof.path[place] = changed.parse().expect("still a step"));
        }
        if text.contains(' ') {
            let without = text.split(' ').next().expect("a hash").to_owned();
            refused(&|proof| proof.path[place] = without.parse().expect("still a step"));
        }
        if place + 1 < proof.path.len() {
            refused(&|proof| proof.path.swap(place, place + 1));
        }
    }
    assert_eq!(proof.verify(Published::new(4_199).root), Err(InvalidProof::Root));
    assert_eq!(proof.verify(root), Ok(()));
}

#[test]
fn sums_that_are_moved_from_one_side_to_the_other_are_refused() {
    let published = Published::new(4_200);
    let proof = published.proof(77);
    let sums: Vec<usize> =
        (0..proof.path.len()).filter(|place| proof.path[*place].to_string().contains('+')).collect();
    let (low, high) = (sums[0], sums[1]);
    let parts = |place: usize| {
        let text = proof.path[place].to_string();
        let (hash, sum) =
            text.split_once(" +").map(|(hash, sum)| (hash.to_owned(), sum.to_owned())).expect("a sum");
        (hash, sum.parse::<Amount>().expect("a sum"))
    };
    let ((low_hash, low_sum), (high_hash, high_sum)) = (parts(low), parts(high));
    let moved = "1".parse::<Amount>().expect("an amount");
    let mut changed = proof.clone();
    let less = low_sum.checked_sub(moved).expect("small");
    let more = high_sum.checked_add(moved).expect("small");
    changed.path[low] = format!("{low_hash} +{less}").parse().expect("a step");
    changed.path[high] = format!("{high_hash} +{more}").parse().expect("a step");
    assert_eq!(
        changed.verify(published.root),
        Err(InvalidProof::Root),
        "the total is the same, the root is not"
    );
}

#[test]
fn all_rows_are_verified_together_and_omitted_and_doubled_ones_are_refused() {
    let published = Published::new(2_500);
    let secret = Secret::new(SECRET);
    let verify = |rows: &[Row]| verify_rows(rows, published.date, &secret, published.root);
    let mut rows = published.rows.clone();
    rows.reverse();
    assert_eq!(verify(&rows), Ok(()));
    let with = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut changed = rows.clone();
        change(&mut changed);
        verify(&changed)
    };
    // A row whose ratio is zero does not show in the sum of the ratios.
    let small = rows
        .iter()
        .position(|row| row.ratio == crate::Ratio::ZERO || row.effective < "2".parse().expect("2"));
    let small = small.expect("there is a small row");
    let without = |place: usize| {
        with(&|rows| {
            rows.remove(place);
        })
    };
    assert!(without(small).is_err());
    assert_eq!(with(&|rows| rows.push(rows[5].clone())), Err(InvalidRows::Doubled));
    assert_eq!(with(&|rows| rows[4] = rows[5].clone()), Err(InvalidRows::Doubled));
    assert!(without(9).is_err());
    let exchanged = with(&|rows| {
        let effective = rows[4].effective;
        rows[4].effective = rows[5].effective;
        rows[5].effective = effective;
    });
    assert_eq!(exchanged, Err(InvalidRows::Root));
    let other = Secret::new("another secret");
    assert_eq!(verify_rows(&rows, published.date, &other, published.root), Err(InvalidRows::Root));
}

#[test]
fn a_proof_has_at_most_two_kilobytes() {
    let published = Published::new(4_200);
    let proof = published.proof(77);
    let hash = "x".repeat(43);
    let total = "1234567890123456.1234567890";
    // Ten million rows: as many steps as there are then, each with the sum that it has then.
    let path: Vec<String> = shape::way_up(10_000_000, 7)
        .iter()
        .map(|turn| match (turn.sibling_leaves >= 1_024, turn.leaves >= 1_024) {
            (true, _) => format!("{hash} +{total}"),
            (false, true) => format!("{hash} ={total}"),
            (false, false) => hash.clone(),
        })
        .collect();
    let mut json = serde_json::to_value(&proof).expect("JSON");
    assert!(json.to_string().len() < 1_500, "{} bytes", json.to_string().len());
    json["path"] = json!(path);
    json["rows"] = json!(10_000_000);
    json["account"] = json!("D".repeat(40));
    json["effective"] = json!(total);
    json["network_total"] = json!(total);
    let bytes = json.to_string().len();
    assert!(bytes <= 2_048, "{bytes} bytes");
    let read: RowProof =
        serde_json::from_value(serde_json::to_value(&proof).expect("JSON")).expect("a proof");
    assert_eq!(read, proof);
}

#[test]
fn text_that_is_no_step_is_refused() {
    let hash = "x".repeat(43);
    for text in [
        "",
        "x",
        " ",
        &format!("{hash} "),
        &format!("{hash} 1"),
        &format!("{hash} =1 +1"),
        &format!("{hash} +1 +1"),
    ] {
        assert!(text.parse::<Step>().is_err(), "{text:?}");
    }
}

#[test]
fn the_encoding_is_what_it_was() {
    let small = Published::new(3);
    let large = Published::new(4_200);
    assert_eq!(
        [small.root, large.root, small.leaves[0].hash].map(|hash| hash.to_string()),
        [
            "4445ac0c59dc708dd5a1a58075d97b6bd0f45c4a624c47d9b18ebdb512ba8528",
            "08a797960b450d888e6568e6a9da825c11236cea39a1dc989e74bab62383773f",
            "05c3a74b029011707d0fa377216fa15d364e5e6472e56f016f654281fcefd1d4",
        ]
    );
    assert!(small.rows.is_sorted_by_key(|row| Placement::of(&row.owner)));
}

#[test]
fn the_verifier_in_another_language_agrees() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proof/verify.py");
    let lines = std::fs::read_to_string(script).expect("it is there").lines().count();
    assert!(lines <= 60, "a verifier of {lines} lines takes long to read");
    let Ok(python) = Command::new("python3").arg("--version").output() else {
        eprintln!("there is no python3 here, so the second verifier was not run");
        return;
    };
    assert!(python.status.success());
    let verify = |input: serde_json::Value| {
        use std::io::Write;
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("python3 starts");
        let mut stdin = child.stdin.take().expect("it was piped");
        stdin.write_all(input.to_string().as_bytes()).expect("it reads");
        drop(stdin);
        child.wait().expect("it ends").success()
    };
    for count in [3, 4_200] {
        let published = Published::new(count);
        let root = published.root.to_string();
        let proof = published.proof(published.rows.len() / 2);
        assert!(verify(json!({"root": root, "proof": proof})), "{count}");
        let mut changed = proof.clone();
        changed.network_total = changed.network_total.checked_add(Amount::TOTAL_MAX).expect("small");
        assert!(!verify(json!({"root": root, "proof": changed})), "{count}");
        if let Some(place) = proof.path.iter().position(|step| step.to_string().contains('+')) {
            let mut changed = proof.clone();
            let text = changed.path[place].to_string().replacen(" +", " +1", 1);
            changed.path[place] = text.parse().expect("a step");
            assert!(!verify(json!({"root": root, "proof": changed})), "{count}");
        }
        let rows: Vec<_> =
            published.rows.iter().rev().map(|row| json!([row.owner, row.effective, row.ratio])).collect();
        let all = |rows: &[serde_json::Value]| {
            verify(json!({"root": root, "date": published.date, "secret": SECRET, "rows": rows}))
        };
        assert!(all(&rows), "{count}");
        assert!(count == 0 || !all(&rows[1..]), "{count}");
        assert!(!all(&[&rows[..], &rows[..1]].concat()), "{count}");
    }
}
