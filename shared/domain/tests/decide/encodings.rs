//! The encodings of what is stored. A page's bytes are what its hash stands for, and pages are kept for ever. A
//! change of one of these hashes changes what stored logs mean, and comes with the code that reads the old ones.

use domain::heads::{AdoptionHead, Network, Node, StoredNetwork, SumNode, lines_of};
use domain::log::{
    AdjustmentTerms, Cause, ChangedBecause, CloseTerms, Command, CommandOutcome, Correction, Entry,
    FirstOrderChange, Held, HoldReason, OrderWait, Page, PageHash, PartitionProgress, PauseScope, Paused,
    Truncate, UplineChange, UplineWait, Walk, WalkPlace, WalkScope,
};
use domain::{
    AdoptionRow, Column, Link, OrderRange, Posting, RowKey, Slot, TermsColumn, TermsFault, UnlockedLegs,
    VersionTerms, Versions,
};

use crate::bench::user;
use crate::table::{amount, date, order};

/// What is stored, and the beginning of the SHA-256 of its encoding.
const HASHES: [(&str, &str); 39] = [
    ("ReferralRow", "9d52036f6ab001eb"),
    ("AdoptionRow", "32e2bf2564787ba4"),
    ("Upline", "e68d94565e18017c"),
    ("UplineWaits", "05813c34efbaba70"),
    ("UplineWaitEnded", "d4412048810a7a26"),
    ("OrderWaits", "a65f329fc9f5551e"),
    ("OrderWaitEnded", "fe08e03910737bfc"),
    ("OrderSeen", "8fddd61605a64f27"),
    ("Eligible", "a4c060e9b7f521ff"),
    ("Placed", "935bb2845c870102"),
    ("Unpriced", "68fd061985ff8c0f"),
    ("Posted", "42b061f51874f9a3"),
    ("Corrected", "b15ebc5c8beccc27"),
    ("Withdrawn", "0fdb16a0befc45e0"),
    ("Held", "0b791983554d02ca"),
    ("Held", "381207f4fcc202f9"),
    ("Held", "87fea80dc3cd655c"),
    ("HoldEnded", "54cfa1e19a6cf34f"),
    ("Gone", "67eb917835df17b7"),
    ("WalkBegan", "25ff1bb28180699d"),
    ("WalkBegan", "2f1599f4fa7082cc"),
    ("WalkStepped", "0cc77392b67bd252"),
    ("WalkStepped", "9721892af1fb6793"),
    ("WalkEnded", "64f87a86615ed27b"),
    ("VersionIntroduced", "bdfa4bd5936a0c03"),
    ("Adjusted", "f9cde0f68f6b310c"),
    ("Commanded", "a158feb541eeb860"),
    ("Commanded", "2eaccef0b38adbb9"),
    ("Commanded", "968facdf2d302502"),
    ("Commanded", "9c38fd2717968bf4"),
    ("CloseWaits", "31536039eacf26df"),
    ("TruncateWaits", "5a2b07b70b703ce9"),
    ("Close", "70fb42ff526ecac9"),
    ("page", "a63ab35c1bcd756d"),
    ("adoption head", "cabe06022dcf4a14"),
    ("node", "fc8d7cadf2e4e66b"),
    ("sum", "654470f618d591f2"),
    ("lines", "e2fb3f279cb6170b"),
    ("network", "651cf18654542f64"),
];

#[test]
fn the_encodings_of_what_is_stored_are_those_of_the_logs_there_are() {
    let actual = examples();
    let text: Vec<String> =
        actual.iter().map(|(name, hash)| format!("    (\"{name}\", \"{hash}\"),")).collect();
    let expected = HASHES.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned()));
    assert!(actual == expected.collect::<Vec<_>>(), "the encodings are now\n{}", text.join("\n"));
}

#[test]
fn every_entry_reads_back_as_it_was_written() {
    for entry in entries() {
        let bytes = postcard::to_stdvec(&entry).expect("it can be encoded");
        assert_eq!(postcard::from_bytes::<Entry>(&bytes).expect("it can be decoded"), entry);
    }
}

fn examples() -> Vec<(String, String)> {
    let hash = |bytes: Vec<u8>| PageHash::of(&bytes).to_string()[..16].to_owned();
    let mut names: Vec<(String, String)> = Vec::new();
    for entry in entries() {
        let bytes = postcard::to_stdvec(&entry).expect("it can be encoded");
        names.push((name(&entry).to_owned(), hash(bytes)));
    }
    // The page has the entries that there were when its hash was committed.
    let is_later =
        |entry: &Entry| matches!(entry, Entry::Commanded { outcome: CommandOutcome::Changed { .. }, .. });
    let of_page = entries().into_iter().filter(|entry| !is_later(entry)).collect();
    let page = Page { position: 7, previous: PageHash::of(b"a page"), time_ms: 1, entries: of_page };
    let mut network = Network::new(Versions::starting("{}").expect("a policy"));
    let mut head = AdoptionHead::default();
    let mut node = Node::default();
    let mut sum = SumNode::default();
    let mut lines = Vec::new();
    for entry in [row_entry(), seen_entry(), eligible_entry(), posted_entry()] {
        network.apply(&entry, 1, 1);
        head.apply(order(300), &entry);
        node.apply(&user("A"), &entry);
        sum.apply((0, 1), &entry);
        lines.extend(lines_of(&entry, 1, 0, 1, &network.versions));
    }
    names.push(("page".to_owned(), page.hash().to_string()[..16].to_owned()));
    names.push(("adoption head".to_owned(), hash(postcard::to_stdvec(&head).expect("a head"))));
    names.push(("node".to_owned(), hash(postcard::to_stdvec(&node).expect("a node"))));
    names.push(("sum".to_owned(), hash(postcard::to_stdvec(&sum).expect("a sum"))));
    names.push(("lines".to_owned(), hash(postcard::to_stdvec(&lines).expect("lines"))));
    let stored = StoredNetwork::from(&network);
    names.push(("network".to_owned(), hash(postcard::to_stdvec(&stored).expect("a network"))));
    names
}

/// Returns an entry's name. A new kind of entry needs an example and a hash.
fn name(entry: &Entry) -> &'static str {
    match entry {
        Entry::ReferralRow { .. } => "ReferralRow",
        Entry::AdoptionRow { .. } => "AdoptionRow",
        Entry::Upline(_) => "Upline",
        Entry::UplineWaits(_) => "UplineWaits",
        Entry::UplineWaitEnded { .. } => "UplineWaitEnded",
        Entry::OrderWaits(_) => "OrderWaits",
        Entry::OrderWaitEnded { .. } => "OrderWaitEnded",
        Entry::OrderSeen { .. } => "OrderSeen",
        Entry::Eligible { .. } => "Eligible",
        Entry::Placed { .. } => "Placed",
        Entry::Unpriced { .. } => "Unpriced",
        Entry::Posted { .. } => "Posted",
        Entry::Corrected(_) => "Corrected",
        Entry::Withdrawn { .. } => "Withdrawn",
        Entry::Held(_) => "Held",
        Entry::HoldEnded(_) => "HoldEnded",
        Entry::Gone { .. } => "Gone",
        Entry::WalkBegan(_) => "WalkBegan",
        Entry::WalkStepped { .. } => "WalkStepped",
        Entry::WalkEnded { .. } => "WalkEnded",
        Entry::VersionIntroduced(_) => "VersionIntroduced",
        Entry::Adjusted(_) => "Adjusted",
        Entry::Commanded { .. } => "Commanded",
        Entry::CloseWaits { .. } => "CloseWaits",
        Entry::Close(_) => "Close",
        Entry::TruncateWaits(_) => "TruncateWaits",
    }
}

fn adoption_row() -> AdoptionRow {
    AdoptionRow {
        account: Column::Value(user("A")),
        trees: Column::Value(2),
        price: Column::Value(Some(amount("22617"))),
        date: Column::Value(date("2026-01-09")),
        status: "PAID".to_owned(),
        province: "44".parse().ok(),
        city: None,
    }
}

fn posting() -> Posting {
    let mut unlocked = UnlockedLegs::default();
    unlocked.set(Slot::TeamLevel(1));
    unlocked.set(Slot::TeamBonus(1));
    Posting {
        account: user("A"),
        trees: 2,
        total: amount("45234"),
        adoption_date: date("2026-01-09"),
        version: 1,
        province: "44".parse().ok(),
        city: None,
        chain: vec![user("B"), user("C")],
        unlocked,
    }
}

fn row_entry() -> Entry {
    Entry::AdoptionRow { order: order(300), key: RowKey::new("300"), row: Some(Box::new(adoption_row())) }
}

fn seen_entry() -> Entry {
    Entry::OrderSeen { order: order(300) }
}

fn eligible_entry() -> Entry {
    Entry::Eligible { order: order(300), before: 0, after: 2 }
}

fn posted_entry() -> Entry {
    let change = FirstOrderChange { before: None, after: Some(order(300)), referrer: Some(user("B")) };
    Entry::Posted {
        order: order(300),
        posting: Box::new(posting()),
        first_order: Some(change),
        cause: Cause::Row,
    }
}

fn held(reason: HoldReason) -> Held {
    Held { order: order(300), reason, look_again_ms: Some(9) }
}

fn entries() -> Vec<Entry> {
    [inputs(), waits(), decisions(), work(), operations()].concat()
}

fn inputs() -> Vec<Entry> {
    vec![
        Entry::ReferralRow { account: user("A"), key: RowKey::new("k"), row: Some(Some(user("B"))) },
        row_entry(),
        Entry::Upline(UplineChange {
            account: user("A"),
            before: Link::Root,
            after: Link::Under(user("B")),
            first_order: Some(order(300)),
        }),
    ]
}

fn waits() -> Vec<Entry> {
    vec![
        Entry::UplineWaits(UplineWait {
            account: user("A"),
            in_force: Link::Missing,
            since_ms: 1,
            until_ms: 2,
            adoptions: 3,
            because: ChangedBecause::RowGone,
        }),
        Entry::UplineWaitEnded { account: user("A"), until_ms: 2, adoptions: 3 },
        Entry::OrderWaits(Box::new(OrderWait {
            order: order(300),
            in_force: adoption_row(),
            since_ms: 1,
            until_ms: 2,
            because: ChangedBecause::RowChanged,
        })),
        Entry::OrderWaitEnded { order: order(300), until_ms: 2 },
        seen_entry(),
        eligible_entry(),
        Entry::Placed { order: order(300), trees_before: 1_000, read_through_ms: Some(5) },
        Entry::Unpriced { order: order(300), committed_ms: Some(4) },
    ]
}

fn decisions() -> Vec<Entry> {
    let unlock = Cause::Unlock { order: order(2) };
    let correction = Correction {
        order: order(300),
        was: posting(),
        is: Posting { trees: 3, ..posting() },
        cause: unlock,
    };
    vec![
        posted_entry(),
        Entry::Corrected(Box::new(correction)),
        Entry::Withdrawn {
            order: order(300),
            posting: Box::new(posting()),
            first_order: None,
            cause: Cause::Upline { account: user("B") },
        },
        Entry::Held(held(HoldReason::NoReferral(user("B")))),
        Entry::Held(held(HoldReason::InvalidTerms(TermsFault::Missing(TermsColumn::Date)))),
        Entry::Held(held(HoldReason::PostingPaused)),
        Entry::HoldEnded(held(HoldReason::NotYet)),
        Entry::Gone { order: order(300) },
    ]
}

fn work() -> Vec<Entry> {
    let scope = WalkScope::Below { root: user("A"), includes_root: true, depth: 15 };
    let cause = Cause::Version { number: 2 };
    vec![
        Entry::WalkBegan(Walk { id: (7, 1), scope, orders: OrderRange::ALL, cause: Cause::Repair }),
        Entry::WalkBegan(Walk {
            id: (7, 2),
            scope: WalkScope::Everywhere,
            orders: OrderRange::only(order(300)),
            cause,
        }),
        Entry::WalkStepped { walk: (7, 1), place: WalkPlace::Path(vec![user("B"), user("C")]) },
        Entry::WalkStepped { walk: (7, 2), place: WalkPlace::Order(order(300)) },
        Entry::WalkEnded { walk: (7, 1) },
    ]
}

fn operations() -> Vec<Entry> {
    let adjustment = AdjustmentTerms {
        giver: "HEADQUARTERS".parse().expect("an owner"),
        receiver: "A".parse().expect("an owner"),
        amount: amount("10"),
        effective_date: date("2026-02-01"),
        expire_date: None,
        reference: "a reference".to_owned(),
    };
    let version = VersionTerms {
        number: 2,
        from: Some(date("2026-02-01")),
        until: None,
        reason: "a reason".to_owned(),
        introduced_by: "an operator".to_owned(),
        policy: "{}".to_owned(),
    };
    let commanded = |command, outcome| Entry::Commanded {
        idempotency_key: "a key".to_owned(),
        by: "an operator".to_owned(),
        reason: "a reason".to_owned(),
        command,
        outcome,
    };
    let progress = PartitionProgress { partition: "orders-0".to_owned(), offset: 3, read_through_ms: 4 };
    vec![
        Entry::VersionIntroduced(Box::new(version)),
        Entry::Adjusted(Box::new(adjustment)),
        commanded(Command::Pause { scope: PauseScope::Posting }, CommandOutcome::Done),
        commanded(
            Command::LetGo { what: Paused::Truncate { key: "orders-0@3".to_owned() } },
            CommandOutcome::Refused { reason: "a reason".to_owned() },
        ),
        commanded(Command::TakeOverPlaces { places: vec![(order(1), 2)] }, CommandOutcome::Done),
        commanded(
            Command::Resume { scope: PauseScope::Closing },
            CommandOutcome::Changed { before: "a state".to_owned(), after: "another".to_owned() },
        ),
        Entry::CloseWaits { date: date("2026-02-10"), reasons: vec!["a reason".to_owned()] },
        Entry::TruncateWaits(Truncate {
            key: "orders-0@3".to_owned(),
            table: "adoption_orders".to_owned(),
            committed_ms: 5,
        }),
        Entry::Close(CloseTerms {
            date: date("2026-02-10"),
            previous: Some(date("2026-02-09")),
            previous_cut: 5,
            progress: vec![progress],
        }),
    ]
}
