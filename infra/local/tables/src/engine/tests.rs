//! Tests of the tables in SQLite, in a directory of their own.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use store::{Condition, engine_tests};
use tempfile::TempDir;

use super::*;

fn directory() -> TempDir {
    tempfile::tempdir().expect("the machine has a directory for temporary files")
}

fn put(number: u64, bytes: usize) -> Write {
    let key = Key::new(Table::Log, "LOG", format!("{number:06}"));
    Write::put(Item::new(key, number, vec![1; bytes]), Condition::Absent)
}

/// Keeps the file from growing by more than so many pages of 4 KB, as a full disk does.
fn fill_disk(engine: &SqliteEngine, pages: i64) {
    let connection = engine.lock();
    let present: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let pragma = format!("PRAGMA max_page_count = {}", present + pages);
    connection.query_row(&pragma, [], |_| Ok(())).unwrap();
}

async fn count(engine: &SqliteEngine) -> usize {
    engine.query(Query::partition(Table::Log, "LOG")).await.unwrap().items.len()
}

#[tokio::test]
async fn tables_in_a_file_do_what_every_engine_does() {
    let directory = directory();
    engine_tests::run(Arc::new(SqliteEngine::open(directory.path()).unwrap())).await;
}

#[tokio::test]
async fn what_was_written_is_there_at_the_next_start() {
    let directory = directory();
    let engine = SqliteEngine::open(directory.path()).unwrap();
    assert_eq!(engine.write(put(1, 70_000)).await, Ok(Written::Done));
    assert_eq!(engine.write_many(vec![put(2, 10), put(3, 10)]).await, [Ok(Written::Done), Ok(Written::Done)]);
    drop(engine);
    assert_eq!(count(&SqliteEngine::open(directory.path()).unwrap()).await, 3);
}

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let directory = directory();
    let engine = SqliteEngine::open(directory.path()).unwrap();
    let refused = SqliteEngine::open(directory.path()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "the data directory {} is in use by process {}: stop that process, or name another directory",
            directory.path().display(),
            std::process::id()
        )
    );
    drop(engine);
    assert!(SqliteEngine::open(directory.path()).is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let parent = directory();
    let directory = parent.path().join("data");
    let engine = SqliteEngine::open(&directory).unwrap();
    assert_eq!(engine.write(put(1, 10)).await, Ok(Written::Done));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "tables, their log and the lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_full_disk_is_said_once_and_for_all_and_leaves_the_tables_as_they_were() {
    let directory = directory();
    let engine = SqliteEngine::open(directory.path()).unwrap();
    assert_eq!(engine.write(put(1, 10)).await, Ok(Written::Done));
    assert_eq!(engine.failure(), None);
    fill_disk(&engine, 10);
    let outcomes = engine.write_many((2..22).map(|number| put(number, 4_000)).collect()).await;
    assert_eq!(outcomes.len(), 20);
    let message = engine.failure().expect("the disk is full").to_owned();
    assert!(message.contains("no space is left"), "{message}");
    assert!(message.contains(&directory.path().display().to_string()), "{message}");
    let refused = Err(StoreError::Refused { message });
    assert!(outcomes.iter().all(|outcome| *outcome == refused));
    assert_eq!(engine.write(put(2, 1)).await, refused, "also where there would be space for it");
    assert_eq!(count(&engine).await, 1, "what is there can be read");
    drop(engine);
    let engine = SqliteEngine::open(directory.path()).unwrap();
    assert_eq!(count(&engine).await, 1);
    assert_eq!(engine.write(put(2, 4_000)).await, Ok(Written::Done));
}

#[test]
fn a_file_that_is_no_file_of_tables_is_left_alone() {
    let directory = directory();
    let file = directory.path().join("tables.sqlite");
    fs::write(&file, "a letter to the operator, longer than the head of a file of tables ".repeat(20))
        .unwrap();
    let refused = SqliteEngine::open(directory.path()).unwrap_err();
    assert!(matches!(refused, OpenError::OtherFormat { .. }), "{refused}");
    assert!(fs::read_to_string(&file).unwrap().starts_with("a letter"));
}

#[test]
fn tables_of_another_layout_are_left_alone() {
    let directory = directory();
    let engine = SqliteEngine::open(directory.path()).unwrap();
    engine.lock().pragma_update(None, "user_version", 7).unwrap();
    drop(engine);
    let refused = SqliteEngine::open(directory.path()).unwrap_err().to_string();
    assert!(refused.contains("its layout is 7"), "{refused}");
}

#[tokio::test]
async fn expired_items_go_when_they_are_asked_to() {
    let directory = directory();
    let engine = SqliteEngine::open(directory.path()).unwrap();
    for (sort, expires_at_s) in [("past", Some(99)), ("now", Some(100)), ("stays", None)] {
        let item =
            Item { expires_at_s, ..Item::new(Key::new(Table::Source, "QUARANTINE", sort), 1, vec![1]) };
        assert_eq!(engine.write(Write::put(item, Condition::None)).await, Ok(Written::Done));
    }
    assert_eq!(engine.delete_expired(100), Ok(1));
    let left = engine.query(Query::partition(Table::Source, "QUARANTINE")).await.unwrap().items;
    assert_eq!(left.iter().map(|item| item.key.sort.as_str()).collect::<Vec<_>>(), ["now", "stays"]);
}
