//! What is logged. Its one test has a process to itself: what is logged where is known to a process as a whole.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use end_to_end::source::{ORDERS, Source};
use end_to_end::{Harness, Options, kafka_event};
use serde_json::json;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refusals_are_logged_once_for_each_partition_and_cause_and_without_any_value() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let secret = "13900001111";
    let mut source = Source::new();
    for partition in [0, 1] {
        for _ in 0..50 {
            for value in [format!("{{\"phone\":\"{secret}\""), format!("\"{secret}\"")] {
                source.append(ORDERS, partition, Some(format!("{{\"phone\":\"{secret}\"}}")), Some(value));
            }
        }
    }
    let harness = Harness::new(Options::default());
    let answer = harness.ingest(kafka_event(&source.records)).await;
    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
    let written = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&written);
    assert!(!text.contains(secret), "{text}");
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("records were refused")).collect();
    assert_eq!(warnings.len(), 4, "two causes in two partitions: {text}");
    assert!(warnings.iter().all(|line| line.contains("records=50")), "{text}");
}
