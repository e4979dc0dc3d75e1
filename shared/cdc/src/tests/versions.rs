//! Which version of a row wins.

use super::*;

/// A change of order 1: its status is what the row stands with, so that a test can name the winner.
struct Version {
    operation: &'static str,
    ts_ms: i64,
    sequence: Option<(Option<u64>, u64)>,
    is_incremental: bool,
    partition: i32,
    offset: i64,
    written_ms: i64,
    columns: Value,
}

fn version(operation: &'static str, ts_ms: i64, last_commit: u64, position: u64, offset: i64) -> Version {
    Version {
        operation,
        ts_ms,
        sequence: Some((Some(last_commit), position)),
        is_incremental: false,
        partition: 0,
        offset,
        written_ms: 0,
        columns: json!({}),
    }
}

/// Returns a row that an initial snapshot read: no commit is before it.
fn initial(ts_ms: i64, slot: u64, offset: i64) -> Version {
    Version { sequence: Some((None, slot)), ..version("r", ts_ms, 0, slot, offset) }
}

/// Returns a row as `ExtractNewRecordState` writes it without `add.fields`.
fn bare(offset: i64) -> Version {
    version("bare", 0, 0, 0, offset)
}

fn incremental(ts_ms: i64, reached: u64, offset: i64) -> Version {
    Version { is_incremental: true, ..version("r", ts_ms, reached, reached, offset) }
}

fn tombstone(written_ms: i64, offset: i64) -> Version {
    Version { written_ms, ..version("tombstone", 0, 0, 0, offset) }
}

impl Version {
    fn status(mut self, status: &str) -> Self {
        self.columns["status"] = json!(status);
        self
    }

    fn price(mut self, price: &Value) -> Self {
        self.columns["contribution_per_tree"] = price.clone();
        self
    }

    fn in_partition(self, partition: i32) -> Self {
        Self { partition, ..self }
    }

    fn written_at(self, written_ms: i64) -> Self {
        Self { written_ms, ..self }
    }

    fn without_sequence(self) -> Self {
        Self { sequence: None, ..self }
    }

    fn change(&self) -> Change {
        let mut row = with(json!({"order_id": 1}), &self.columns);
        let value = (self.operation != "tombstone").then(|| {
            if self.operation == "bare" {
                return row.to_string();
            }
            let fields = row.as_object_mut().expect("an object");
            fields.insert("__op".to_owned(), json!(self.operation));
            fields.insert("__source_ts_ms".to_owned(), json!(self.ts_ms));
            if let Some((last_commit, position)) = self.sequence {
                let text = json!([last_commit.map(|lsn| lsn.to_string()), position.to_string()]).to_string();
                fields.insert("__source_sequence".to_owned(), json!(text));
            }
            let marker = if self.is_incremental { json!("incremental") } else { json!(null) };
            fields.insert("__source_snapshot".to_owned(), marker);
            row.to_string()
        });
        let record = KafkaRecord {
            topic: ORDERS,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: Some(self.written_ms),
            key: Some(br#"{"order_id":1}"#),
            value: value.as_deref().map(str::as_bytes),
        };
        changed(decode(&Profile::built_in(), record))
    }
}

fn folded(versions: &[&Version]) -> RowState {
    let state = versions.iter().fold(None, |state, version| Some(fold(state, &version.change()).state));
    state.expect("a version")
}

/// Returns the row after these versions, in every order of arrival.
fn stands(versions: &[Version]) -> RowState {
    let versions: Vec<&Version> = versions.iter().collect();
    let state = folded(&versions);
    let mut dice = crate::modelled_source::Dice::new(1);
    for _ in 0..20 {
        let mut shuffled = [versions.clone(), versions.clone()].concat();
        dice.shuffle(&mut shuffled);
        assert_eq!(folded(&shuffled), state);
    }
    state
}

fn winner(versions: &[Version]) -> Option<String> {
    match stands(versions).image()? {
        RowImage::Adoption(adoption) => adoption.status.value().cloned(),
        other => panic!("{other:?} is no adoption"),
    }
}

fn old(version: Version) -> Version {
    version.status("old")
}

fn new(version: Version) -> Version {
    version.status("new")
}

/// Checks cases of versions of which one wins, or none.
fn check<const N: usize>(cases: [(&str, Vec<Version>, Option<&str>); N]) {
    for (case, versions, expected) in cases {
        assert_eq!(winner(&versions).as_deref(), expected, "{case}");
        assert!(!stands(&versions).is_ambiguous(), "{case}");
    }
}

#[test]
fn the_table_of_which_streamed_version_wins() {
    check([
        (
            "the later commit",
            vec![old(version("u", 1, 10, 11, 0)), new(version("u", 2, 20, 21, 1))],
            Some("new"),
        ),
        (
            "the later commit, although it began before the snapshot and its position is lower",
            vec![old(version("r", 5, 40, 50, 0)), new(version("u", 6, 45, 30, 1))],
            Some("new"),
        ),
        (
            "the initial snapshot, over changes of a slot that is older than it",
            vec![new(version("r", 5, 40, 50, 0)), old(version("u", 4, 45, 48, 1))],
            Some("new"),
        ),
        (
            "the commit after a failover, although its positions are lower",
            vec![old(version("u", 1, 9_000, 9_001, 7)), new(version("u", 2, 10, 11, 8))],
            Some("new"),
        ),
        (
            "the later change of one transaction",
            vec![old(version("u", 1, 10, 11, 0)), new(version("u", 1, 10, 12, 1))],
            Some("new"),
        ),
        (
            "the later transaction of one millisecond, whatever its own position",
            vec![old(version("u", 1, 10, 90, 0)), new(version("u", 1, 20, 15, 1))],
            Some("new"),
        ),
        (
            "the newer change, when a connector that restarted sends the old one again",
            vec![
                old(version("u", 1, 10, 11, 0)),
                new(version("u", 2, 20, 21, 1)),
                old(version("u", 1, 10, 11, 2)),
            ],
            Some("new"),
        ),
        (
            "without a sequence, time, and within one partition the offset",
            vec![
                old(version("u", 1, 0, 0, 0)).without_sequence(),
                new(version("u", 1, 0, 0, 1)).without_sequence(),
            ],
            Some("new"),
        ),
        (
            "without a sequence, in two partitions, what was written later",
            vec![
                old(version("u", 1, 0, 0, 9)).without_sequence().written_at(3),
                new(version("u", 1, 0, 0, 1)).without_sequence().written_at(4).in_partition(1),
            ],
            Some("new"),
        ),
    ]);
}

#[test]
fn the_table_of_initial_snapshots_and_of_rows_without_any_mark() {
    check([
        (
            "a commit between the slot and the transaction of the snapshot, which reads what stood at the slot",
            vec![
                old(initial(5, 50, 0)).written_at(6),
                new(version("u", 4, 45, 60, 1)).written_at(7).in_partition(1),
            ],
            Some("new"),
        ),
        (
            "the same of a transaction that began before the slot",
            vec![old(initial(5, 50, 0)).written_at(6), new(version("u", 4, 55, 45, 1)).written_at(7)],
            Some("new"),
        ),
        (
            "a snapshot in the middle of streaming, which is behind",
            vec![
                new(version("r", 5, 40, 50, 0)).written_at(6),
                old(version("u", 4, 55, 60, 1)).written_at(7),
            ],
            Some("new"),
        ),
        (
            "the snapshot of another cluster, although its positions are lower, and the commit is written again",
            vec![
                old(version("u", 4, 8_000, 9_001, 0)).written_at(4),
                new(initial(5, 50, 1)).written_at(6),
                old(version("u", 4, 8_000, 9_001, 2)).written_at(4),
            ],
            Some("new"),
        ),
        (
            "a row without any mark, by when it was written: after the commits before",
            vec![
                old(version("u", 4, 10, 11, 0)).written_at(5),
                new(bare(1)).written_at(7),
                old(version("u", 4, 10, 11, 2)).written_at(8),
            ],
            Some("new"),
        ),
        (
            "a commit after a row without any mark was written",
            vec![old(bare(0)).written_at(7), new(version("u", 8, 10, 11, 1)).written_at(9)],
            Some("new"),
        ),
    ]);
}

#[test]
fn the_table_of_incremental_reads() {
    check([
        (
            "an incremental read, over a change before it that is sent again",
            vec![
                old(version("u", 1, 10, 11, 0)),
                new(incremental(9, 20, 1)),
                old(version("u", 1, 10, 11, 2)),
            ],
            Some("new"),
        ),
        (
            "a change after an incremental read, although the connector lagged and its clock is ahead",
            vec![old(incremental(9, 20, 0)), new(version("u", 3, 25, 26, 1))],
            Some("new"),
        ),
        (
            "a commit that is later than the clock of the read, on a cluster with lower positions",
            vec![old(incremental(9, 9_000, 0)), new(version("u", 10, 5, 6, 1))],
            Some("new"),
        ),
        (
            "the later of two incremental reads",
            vec![old(incremental(8, 20, 0)), new(incremental(9, 30, 1))],
            Some("new"),
        ),
    ]);
}

#[test]
fn the_table_of_deletes_and_tombstones() {
    check([
        ("a delete", vec![old(version("u", 1, 10, 11, 0)), version("d", 2, 20, 21, 1)], None),
        (
            "an insert under the same key, after the delete",
            vec![version("d", 2, 20, 21, 0), new(version("c", 2, 20, 22, 1))],
            Some("new"),
        ),
        (
            "an upsert over a delete, where they tie",
            vec![version("d", 2, 20, 21, 5), new(version("c", 2, 20, 21, 0)).in_partition(1)],
            Some("new"),
        ),
        ("a tombstone that is the delete", vec![old(version("u", 1, 10, 11, 0)), tombstone(0, 1)], None),
        (
            "a tombstone that is the delete, of a topic that was made anew",
            vec![old(version("u", 1, 10, 11, 900)), tombstone(5, 1)],
            None,
        ),
        (
            "a tombstone of the millisecond in which its topic got another partition, after one of the partition before",
            vec![
                old(version("u", 1, 10, 11, 0)).in_partition(2),
                tombstone(5, 1).in_partition(2),
                old(version("c", 2, 20, 21, 0)).in_partition(1).written_at(5),
                tombstone(5, 1).in_partition(1),
            ],
            None,
        ),
        (
            "an insert after its key's tombstone",
            vec![old(version("c", 1, 10, 11, 0)), tombstone(0, 1), new(version("c", 2, 20, 21, 2))],
            Some("new"),
        ),
        (
            "the insert after the delete, while a connector that restarted is at the tombstone again",
            vec![
                old(version("c", 1, 10, 11, 0)),
                version("d", 2, 20, 21, 1),
                tombstone(0, 2),
                new(version("c", 3, 30, 31, 3)),
                version("d", 2, 20, 21, 4),
                tombstone(0, 5),
            ],
            Some("new"),
        ),
        (
            "the insert after a tombstone alone, while a connector that restarted is at the tombstone again",
            vec![
                old(version("c", 1, 10, 11, 0)),
                tombstone(0, 1),
                new(version("c", 3, 30, 31, 2)),
                old(version("c", 1, 10, 11, 3)),
                tombstone(0, 4),
            ],
            Some("new"),
        ),
        (
            "a tombstone that is the delete, after a snapshot read the row in the millisecond of its insert",
            vec![old(version("c", 5, 40, 60, 0)), old(initial(5, 50, 1)), tombstone(6, 2)],
            None,
        ),
        ("nothing, of a key of which only the tombstone is left", vec![tombstone(0, 4)], None),
    ]);
}

#[test]
fn versions_that_nothing_tells_apart_make_a_row_ambiguous() {
    let this = version("u", 1, 10, 11, 0).status("this");
    let that = version("u", 1, 10, 11, 0).status("that").in_partition(1);
    assert!(stands(&[this, that]).is_ambiguous(), "two contents of one change");
    assert!(
        stands(&[bare(0).status("this"), bare(0).status("that")]).is_ambiguous(),
        "two rows at one place"
    );
    let streamed = version("u", 1, 0, 0, 0).without_sequence().status("this");
    let read = incremental(2, 0, 0).without_sequence().status("that").in_partition(1);
    assert!(stands(&[streamed, read]).is_ambiguous(), "a change and a read without a sequence");
    let this = version("u", 1, 10, 11, 0).status("this");
    let again = version("u", 1, 10, 11, 7).status("this").in_partition(1);
    assert!(!stands(&[this, again]).is_ambiguous(), "the same change again");
}

fn price(versions: &[Version]) -> Reading<Price> {
    match stands(versions).image() {
        Some(RowImage::Adoption(adoption)) => adoption.contribution_per_tree,
        other => panic!("{other:?} is no adoption"),
    }
}

#[test]
fn a_column_that_is_left_out_has_the_value_of_the_newest_older_version_that_names_it() {
    let five = Reading::Value("5".parse().expect("a price"));
    let inserted = |price: &Value| version("c", 1, 10, 11, 0).price(price);
    let updated = || version("u", 3, 30, 31, 2).status("PAID");
    assert_eq!(price(&[inserted(&json!(5)), updated()]), five);
    assert_eq!(price(&[inserted(&json!(4)), version("u", 2, 20, 21, 1).price(&json!(5)), updated()]), five);
    let null = Reading::Null(Column::ContributionPerTree);
    assert_eq!(
        price(&[inserted(&json!(5)), version("u", 2, 20, 21, 1).price(&json!(null)), updated()]),
        null
    );
    assert_eq!(price(&[inserted(&json!(4)), incremental(2, 20, 1).price(&json!(5)), updated()]), five);
}

#[test]
fn nothing_older_than_the_last_insert_fills_in_a_column() {
    let missing = Reading::Missing(Column::ContributionPerTree);
    let old = || version("u", 1, 10, 11, 0).price(&json!(5));
    let again = || version("c", 3, 30, 31, 3).status("PAID");
    assert_eq!(price(&[old(), version("d", 2, 20, 21, 1), again()]), missing);
    assert_eq!(price(&[old(), again(), version("u", 4, 40, 41, 4).status("CANCELLED")]), missing);
    assert_eq!(price(&[incremental(1, 20, 1).price(&json!(5)), again()]), missing);
}

#[test]
fn a_renamed_column_counts_under_its_new_name_and_one_that_is_left_out_under_its_old() {
    let trees = |versions: &[Version]| match stands(versions).image() {
        Some(RowImage::Adoption(adoption)) => adoption.tree_count.value().copied(),
        other => panic!("{other:?} is no adoption"),
    };
    let with_columns = |version: Version, columns: Value| Version { columns, ..version };
    let renamed = [
        with_columns(version("c", 1, 10, 11, 0), json!({"tree_count": 2})),
        with_columns(version("u", 2, 20, 21, 1), json!({"trees": 3})),
    ];
    assert_eq!(trees(&renamed), Some(3));
    let both = [
        with_columns(version("c", 1, 10, 11, 0), json!({"tree_count": 2, "trees": 7})),
        with_columns(version("u", 2, 20, 21, 1), json!({"trees": 3})),
    ];
    assert_eq!(trees(&both), Some(2), "these are two columns, and the first one was left out");
}

#[test]
fn a_row_knows_every_business_key_that_it_ever_had() {
    let renumbered = [json!({"order_id": 11}), json!({"order_id": 111})];
    let state = renumbered.iter().zip(1..).fold(None, |state, (columns, number)| {
        let version = Version { columns: columns.clone(), ..version("u", number, 10, 11, number) };
        Some(fold(state, &version.change()).state)
    });
    let state = state.expect("a row");
    let order = |number| BusinessKey::Order(domain::OrderId::new(number).expect("an order"));
    assert_eq!(state.business_keys_ever(), [order(11), order(111)]);
    assert_eq!(state.image().and_then(|image| image.business_key()), Some(order(111)));
}

#[test]
fn folding_says_what_a_change_was_to_the_row() {
    let later = true;
    let older = |cause, delivered_later| Folded::Older { cause, delivered_later };
    let mut state = None;
    let mut next = |version: Version| {
        let fold = fold(state.take(), &version.change());
        state = Some(fold.state);
        (fold.folded, fold.is_image_changed)
    };
    assert_eq!(next(version("c", 5, 10, 11, 0).status("a")), (Folded::Applied, true));
    assert_eq!(next(version("c", 5, 10, 11, 0).status("a")), (Folded::Duplicate, false));
    assert_eq!(next(version("u", 7, 20, 21, 1).status("b")), (Folded::Applied, true));
    assert_eq!(
        next(version("c", 5, 10, 11, 2).status("a")),
        (older(OlderCause::EarlierCommit, later), false)
    );
    assert_eq!(next(version("u", 7, 20, 21, 3).status("b")), (Folded::Duplicate, false));
    assert_eq!(
        next(version("u", 7, 20, 20, 4).status("c")),
        (older(OlderCause::EarlierPosition, later), false)
    );
    assert_eq!(next(incremental(9, 30, 5).status("d")), (Folded::Applied, true));
    let replayed = version("u", 8, 22, 23, 6).status("e");
    assert_eq!(next(replayed), (older(OlderCause::BeforeIncrementalRead, later), false));
    let read = incremental(8, 20, 2).status("f");
    assert_eq!(next(read), (older(OlderCause::EarlierIncrementalRead, false), false));
    assert_eq!(next(version("d", 10, 40, 41, 7)), (Folded::Applied, true));
    assert_eq!(next(tombstone(0, 8)), (Folded::TombstoneAfterDelete, false));
    assert_eq!(next(tombstone(0, 8)), (Folded::Duplicate, false));
    let unknown = fold(None, &tombstone(0, 1).change());
    assert_eq!((unknown.folded, unknown.is_image_changed), (Folded::DeletionOfUnknownRow, false));
    let before = fold(Some(unknown.state), &version("u", 1, 10, 11, 0).status("a").change());
    assert_eq!(before.folded, older(OlderCause::BeforeTombstone, false));
}

#[test]
fn a_tombstone_of_the_millisecond_of_a_version_in_another_partition_is_listed_for_reconcile() {
    let version = || new(version("r", 2, 20, 21, 9)).in_partition(1).written_at(5);
    let deleted = || tombstone(5, 7).in_partition(4);
    let state = stands(&[version(), deleted()]);
    assert!(state.is_ambiguous() && state.image().is_some());
    assert_eq!(fold(Some(folded(&[&version()])), &deleted().change()).folded, Folded::Ambiguous);
    assert_eq!(fold(Some(folded(&[&deleted()])), &version().change()).folded, Folded::Ambiguous);
    let millisecond_later = tombstone(6, 7).in_partition(4);
    let state = stands(&[version(), deleted(), millisecond_later]);
    assert!(!state.is_ambiguous() && state.image().is_none());
}

#[test]
fn a_row_is_stored_as_those_there_are() {
    let state = stands(&[
        version("c", 1, 10, 11, 0).status("PAID").price(&json!("22617.0000000000")),
        version("u", 2, 20, 21, 1).status("ACTIVE"),
        incremental(3, 30, 2).status("CANCELLED"),
        tombstone(4, 7).in_partition(1),
    ]);
    // Another text here means that rows which are stored are read in another way: then the form gets another number.
    let stored = [
        r#"{"v":2,"t":"adoptions","#,
        r#""s":{"l":[{"v":[2,20,21,1,[0,0,1,null]],"c":{"o":"1","s":"ACTIVE"}},"#,
        r#"{"v":[1,10,11,1,[0,0,0,null]],"c":{"p":"22617.0000000000"}}],"f":[1,10,11,1,[0,0,0,null]]},"#,
        r#""i":{"l":[{"v":[3,30,30,5,[0,0,2,null]],"c":{"o":"1","s":"CANCELLED"}}]},"#,
        r#""x":[[4,1,7,null]],"o":[{"p":[0,0,0,null]}],"k":["1"]}"#,
    ];
    assert_eq!(serde_json::to_string(&state).expect("it can be stored"), stored.concat());
}
