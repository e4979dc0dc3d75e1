//! An export is checked without any code that made it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::log::{Page, PageHash};
use oracle::generate::Plan;
use verify::format::{Header, Line};
use verify::{Head, Refusal, verify};

use crate::stack::{Random, Stack};

async fn export() -> (Vec<u8>, Stack) {
    let stack = Stack::fed(&Plan::deep(6)).await;
    let adjustment = domain::log::AdjustmentTerms {
        giver: "OPERATION".parse().expect("an owner"),
        receiver: "D99".parse().expect("an owner"),
        amount: "1.5".parse().expect("an amount"),
        effective_date: "2026-12-02".parse().expect("a date"),
        expire_date: None,
        reference: "a \"letter\"\tof today".to_owned(),
    };
    stack.command("adjust", domain::log::Command::Adjust(Box::new(adjustment))).await;
    let version = domain::VersionTerms {
        number: 2,
        from: Some("2026-02-01".parse().expect("a date")),
        until: None,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: r#"{ "rates": {"personal": "0.69", "operation": "0.13"}, "term_years": 3 }"#.to_owned(),
    };
    stack.command("introduce", domain::log::Command::Introduce(Box::new(version))).await;
    (stack.export().await, stack)
}

fn lines_of(export: &[u8]) -> Vec<&[u8]> {
    export.split_inclusive(|byte| *byte == b'\n').collect()
}

fn head_of(line: &[u8]) -> Head {
    match serde_json::from_slice(line).expect("a line") {
        Line::Page { position, hash, .. } => {
            Head { position, hash: PageHash::from_hex(&hash).expect("a hash") }
        }
        Line::Footer(_) => panic!("no page"),
    }
}

#[tokio::test]
async fn an_export_is_right_and_leads_to_the_digest_that_the_stack_has() {
    let (export, stack) = export().await;
    let verified = verify(export.as_slice(), None).expect("a right export");
    assert_eq!(verified.digest, stack.digest().await.hash);
    assert!(verified.posted > 10, "{} posted", verified.posted);
    assert_eq!(verified.head.position, stack.harness.last_page().await);
    assert_eq!(verify(export.as_slice(), Some(verified.head)).expect("the same head"), verified);
}

#[tokio::test]
async fn a_thousand_changes_of_one_byte_are_refused() {
    let (export, _) = export().await;
    let mut random = Random(1);
    for change in 0..1_000 {
        let mut changed = export.clone();
        let place = random.below(changed.len());
        let difference = u8::try_from(1 + random.below(255)).expect("a byte");
        changed[place] ^= difference;
        assert!(verify(changed.as_slice(), None).is_err(), "change {change}: byte {place} by {difference}");
    }
}

#[tokio::test]
async fn a_hundred_dropped_and_a_hundred_swapped_pages_are_refused() {
    let (export, _) = export().await;
    let lines = lines_of(&export);
    let pages = lines.len() - 2;
    assert!(pages > 3, "{pages} pages");
    let mut random = Random(2);
    for _ in 0..100 {
        let mut dropped = lines.clone();
        dropped.remove(1 + random.below(pages));
        assert!(verify(dropped.concat().as_slice(), None).is_err());

        let mut swapped = lines.clone();
        let (one, other) = (1 + random.below(pages), 1 + random.below(pages));
        swapped.swap(one, other);
        assert_eq!(verify(swapped.concat().as_slice(), None).is_err(), one != other);
    }
}

#[tokio::test]
async fn a_suffix_rewritten_with_valid_hashes_is_refused_by_who_kept_a_head() {
    let (export, _) = export().await;
    let lines = lines_of(&export);
    let kept = head_of(lines[lines.len() - 3]);

    // The last three pages are decided a millisecond later. Everything else is as it was, hashes included.
    let mut rewritten: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
    let first = lines.len() - 4;
    let mut previous = head_of(lines[first - 1]).hash;
    for place in first..lines.len() - 1 {
        let Line::Page { position, page, .. } = serde_json::from_slice(lines[place]).expect("a line") else {
            panic!("no page")
        };
        let mut content = Page::decode(&STANDARD.decode(page).expect("base 64")).expect("a page");
        content.previous = previous;
        content.time_ms += 1;
        previous = content.hash();
        let page = STANDARD.encode(content.encode());
        let line = Line::Page { position, hash: previous.to_string(), page };
        rewritten[place] = [serde_json::to_vec(&line).expect("a line"), b"\n".to_vec()].concat();
    }
    let last = rewritten.len() - 1;
    let Line::Footer(mut footer) = serde_json::from_slice(lines[last]).expect("a line") else {
        panic!("no footer")
    };
    footer.hash = previous.to_string();
    rewritten[last] = [serde_json::to_vec(&Line::Footer(footer)).expect("a line"), b"\n".to_vec()].concat();

    let rewritten = rewritten.concat();
    assert!(verify(rewritten.as_slice(), None).is_ok(), "by itself it is a log like any other");
    let refused = verify(rewritten.as_slice(), Some(kept)).expect_err("a refusal");
    assert!(matches!(refused, Refusal::Head { position } if position == kept.position));
    assert!(verify(export.as_slice(), Some(kept)).is_ok());
    let unknown = Head { position: kept.position + 1_000, ..kept };
    assert!(matches!(verify(export.as_slice(), Some(unknown)), Err(Refusal::Head { .. })));
}

#[tokio::test]
async fn entries_that_contradict_those_before_are_refused() {
    let (export, _) = export().await;
    let lines = lines_of(&export);
    // A log in which the first posting stands twice, with valid hashes.
    let mut previous = None;
    let mut has_repeated = false;
    let mut rewritten: Vec<Vec<u8>> = vec![lines[0].to_vec()];
    for line in &lines[1..lines.len() - 1] {
        let Line::Page { position, page, .. } = serde_json::from_slice(line).expect("a line") else {
            panic!("no page")
        };
        let mut content = Page::decode(&STANDARD.decode(page).expect("base 64")).expect("a page");
        let posted = content.entries.iter().find(|entry| matches!(entry, domain::log::Entry::Posted { .. }));
        if let Some(posted) = posted.cloned().filter(|_| !has_repeated) {
            has_repeated = true;
            content.entries.insert(0, posted);
        }
        content.previous = previous.unwrap_or(content.previous);
        let hash = content.hash();
        previous = Some(hash);
        let page = STANDARD.encode(content.encode());
        let line = Line::Page { position, hash: hash.to_string(), page };
        rewritten.push([serde_json::to_vec(&line).expect("a line"), b"\n".to_vec()].concat());
    }
    let refused = verify(rewritten.concat().as_slice(), None).expect_err("a refusal");
    assert!(matches!(refused, Refusal::Entry { .. }), "{refused}");
}

#[tokio::test]
async fn another_first_policy_than_the_pages_were_decided_under_is_refused() {
    let (export, _) = export().await;
    let lines = lines_of(&export);
    let header = Header::new(r#"{"rates": {"personal": "0.6", "operation": "0.22"}}"#);
    let header = [serde_json::to_vec(&header).expect("a line"), b"\n".to_vec()].concat();
    let forged = [header, lines[1..].concat()].concat();
    let refused = verify(forged.as_slice(), None).expect_err("a refusal");
    assert!(matches!(refused, Refusal::Chain { position: 1, .. }), "{refused}");
}
