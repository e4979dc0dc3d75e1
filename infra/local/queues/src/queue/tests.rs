//! Tests of one queue.

use super::*;
use crate::deduplication::DEDUPLICATION_WINDOW_MS;
use crate::settings::Attributes;

/// A queue under test, with the time that it is given.
struct Bench {
    queue: Queue,
    now_ms: u64,
    sent: u128,
}

impl Bench {
    fn new(defaults: &QueueSettings, attributes: &[(&str, &str)]) -> Self {
        let settings = defaults.with(&to_attributes(attributes)).unwrap();
        let now_ms = 1_000_000_000_000;
        Self { queue: Queue::new(Uuid::from_u128(99), settings, now_ms), now_ms, sent: 0 }
    }

    fn fifo(attributes: &[(&str, &str)]) -> Self {
        Self::new(&QueueSettings::fifo(), attributes)
    }

    fn standard(attributes: &[(&str, &str)]) -> Self {
        Self::new(&QueueSettings::standard(), attributes)
    }

    fn wait_ms(&mut self, duration_ms: u64) {
        self.now_ms += duration_ms;
    }

    fn send(&mut self, message: NewMessage) -> Sent {
        self.sent += 1;
        self.queue.send(self.now_ms, Uuid::from_u128(self.sent), message).unwrap()
    }

    fn send_to_group(&mut self, group_id: &str, body: &str) -> Sent {
        self.send(fifo_message(group_id, body, body))
    }

    fn send_standard(&mut self, body: &str, delay_seconds: Option<u32>) -> Sent {
        self.send(NewMessage { body: body.to_owned(), delay_seconds, ..NewMessage::default() })
    }

    fn receive(&mut self, max_messages: usize, visibility_timeout_seconds: u32) -> Vec<Delivery> {
        self.queue.receive(self.now_ms, max_messages, visibility_timeout_seconds, None).deliveries
    }

    fn receive_bodies(&mut self, max_messages: usize) -> Vec<String> {
        bodies(&self.receive(max_messages, 30))
    }

    fn delete(&mut self, delivery: &Delivery) -> Result<(), QueueError> {
        self.queue.delete(self.now_ms, &delivery.receipt_handle)
    }

    fn change_visibility(&mut self, delivery: &Delivery, seconds: u32) -> Result<(), QueueError> {
        self.queue.change_visibility(self.now_ms, &delivery.receipt_handle, seconds)
    }

    fn counts(&mut self) -> (usize, usize, usize) {
        let counts = self.queue.counts(self.now_ms);
        (counts.visible, counts.in_flight, counts.delayed)
    }
}

fn to_attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn fifo_message(group_id: &str, deduplication_id: &str, body: &str) -> NewMessage {
    NewMessage {
        body: body.to_owned(),
        group_id: Some(group_id.to_owned()),
        deduplication_id: Some(deduplication_id.to_owned()),
        ..NewMessage::default()
    }
}

fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.message.content.body.clone()).collect()
}

#[test]
fn one_receive_takes_several_messages_of_a_group_and_then_the_next_group() {
    let mut bench = Bench::fifo(&[]);
    for body in ["a1", "b1", "a2", "b2"] {
        bench.send_to_group(&body[..1], body);
    }
    assert_eq!(bench.receive_bodies(3), ["a1", "a2", "b1"]);
}

#[test]
fn a_group_is_blocked_while_any_of_its_messages_is_in_flight() {
    let mut bench = Bench::fifo(&[]);
    for body in ["a1", "a2", "a3"] {
        bench.send_to_group("a", body);
    }
    let first_two = bench.receive(2, 30);
    bench.delete(&first_two[0]).unwrap();
    assert!(bench.receive_bodies(10).is_empty());
    bench.delete(&first_two[1]).unwrap();
    assert_eq!(bench.receive_bodies(10), ["a3"]);
}

#[test]
fn a_message_given_back_waits_for_those_before_it_and_not_for_those_behind_it() {
    let mut bench = Bench::fifo(&[]);
    for body in ["a1", "a2", "a3"] {
        bench.send_to_group("a", body);
    }
    let first_two = bench.receive(2, 30);
    bench.change_visibility(&first_two[1], 0).unwrap();
    assert!(bench.receive_bodies(10).is_empty());
    bench.change_visibility(&first_two[0], 0).unwrap();
    let all = bench.receive(10, 30);
    assert_eq!(bodies(&all), ["a1", "a2", "a3"]);
    bench.change_visibility(&all[0], 0).unwrap();
    assert_eq!(bench.receive_bodies(10), ["a1"], "two receivers have messages of one group");
}

#[test]
fn messages_whose_timeout_has_ended_come_again_while_a_later_one_is_prolonged() {
    let mut bench = Bench::fifo(&[]);
    for body in ["a1", "a2", "a3", "a4"] {
        bench.send_to_group("a", body);
    }
    let three = bench.receive(3, 1);
    bench.change_visibility(&three[2], 6).unwrap();
    bench.wait_ms(2_000);
    assert_eq!(bench.receive_bodies(10), ["a1", "a2"]);
}

#[test]
fn a_group_whose_message_comes_back_goes_behind_the_groups_that_wait() {
    let mut bench = Bench::fifo(&[]);
    for body in ["a1", "a2", "b1", "c1"] {
        bench.send_to_group(&body[..1], body);
    }
    assert_eq!(bodies(&bench.receive(1, 1)), ["a1"]);
    bench.wait_ms(1_000);
    assert_eq!(bench.receive_bodies(10), ["b1", "c1", "a1", "a2"]);
}

#[test]
fn a_visibility_timeout_brings_a_message_back_with_a_higher_receive_count() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("m", None);
    let first = bench.receive(1, 2).remove(0);
    bench.wait_ms(1_999);
    assert!(bench.receive(1, 2).is_empty());
    bench.wait_ms(1);
    let second = bench.receive(1, 2).remove(0);
    assert_eq!((first.message.receive_count, second.message.receive_count), (1, 2));
    assert_eq!(second.message.first_received_at_ms, first.message.first_received_at_ms);
    assert_ne!(second.receipt_handle, first.receipt_handle);
}

#[test]
fn a_standard_queue_ignores_a_handle_from_before_the_last_delivery() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("m", None);
    let first = bench.receive(1, 1).remove(0);
    bench.wait_ms(1_000);
    let second = bench.receive(1, 1).remove(0);
    assert_eq!(bench.delete(&first), Ok(()));
    assert_eq!(bench.counts(), (0, 1, 0));
    assert_eq!(bench.delete(&second), Ok(()));
    assert_eq!(bench.counts(), (0, 0, 0));
}

#[test]
fn a_standard_queue_changes_visibility_by_any_handle_of_a_message_that_is_there() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("m", None);
    let first = bench.receive(1, 1).remove(0);
    bench.wait_ms(1_000);
    assert_eq!(bench.change_visibility(&first, 5), Ok(()), "its timeout has ended");
    assert!(bench.receive_bodies(1).is_empty(), "it is hidden once more");
    bench.wait_ms(5_000);
    let second = bench.receive(1, 30).remove(0);
    assert_eq!(bench.change_visibility(&first, 0), Ok(()), "it was delivered again since");
    assert_eq!(bench.counts(), (1, 0, 0));
    assert_eq!(bench.delete(&second), Ok(()));
    assert!(matches!(bench.change_visibility(&second, 0), Err(QueueError::InvalidParameterValue { .. })));
}

#[test]
fn a_standard_queue_deletes_by_a_handle_after_its_timeout_until_the_next_delivery() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("m", None);
    let delivery = bench.receive(1, 1).remove(0);
    bench.wait_ms(1_000);
    assert_eq!(bench.delete(&delivery), Ok(()));
    assert_eq!(bench.counts(), (0, 0, 0));
}

#[test]
fn a_fifo_queue_refuses_a_handle_after_its_timeout() {
    let mut bench = Bench::fifo(&[]);
    bench.send_to_group("a", "m");
    let delivery = bench.receive(1, 1).remove(0);
    bench.wait_ms(1_000);
    assert!(matches!(bench.delete(&delivery), Err(QueueError::InvalidParameterValue { .. })));
    assert_eq!(bench.change_visibility(&delivery, 5), Err(QueueError::MessageNotInflight));
    assert_eq!(bench.receive_bodies(1), ["m"]);
    assert!(matches!(bench.change_visibility(&delivery, 5), Err(QueueError::InvalidParameterValue { .. })));
}

#[test]
fn deleting_a_message_twice_succeeds() {
    let mut bench = Bench::fifo(&[]);
    bench.send_to_group("a", "m");
    let delivery = bench.receive(1, 30).remove(0);
    assert_eq!(bench.delete(&delivery), Ok(()));
    assert_eq!(bench.delete(&delivery), Ok(()));
}

#[test]
fn a_handle_of_another_queue_is_invalid() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("m", None);
    let mut delivery = bench.receive(1, 30).remove(0);
    delivery.receipt_handle.queue_id = "another".to_owned();
    assert_eq!(bench.delete(&delivery), Err(QueueError::ReceiptHandleIsInvalid));
}

#[test]
fn a_flight_lasts_twelve_hours_at_most_however_often_it_is_prolonged() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("m", None);
    let delivery = bench.receive(1, 30).remove(0);
    bench.wait_ms(1_000);
    assert_eq!(bench.change_visibility(&delivery, 43_199), Ok(()));
    assert!(matches!(
        bench.change_visibility(&delivery, 43_200),
        Err(QueueError::InvalidParameterValue { .. })
    ));
}

#[test]
fn a_duplicate_is_answered_like_the_original_for_five_minutes_even_after_deletion() {
    let mut bench = Bench::fifo(&[]);
    let original = bench.send_to_group("a", "m");
    let delivery = bench.receive(1, 30).remove(0);
    bench.delete(&delivery).unwrap();
    bench.wait_ms(DEDUPLICATION_WINDOW_MS - 1);
    assert_eq!(bench.send_to_group("a", "m"), original);
    assert_eq!(bench.counts(), (0, 0, 0));
    bench.wait_ms(1);
    assert_ne!(bench.send_to_group("a", "m"), original);
    assert_eq!(bench.receive_bodies(10), ["m"]);
}

#[test]
fn deduplication_is_per_queue_or_per_group_as_the_scope_says() {
    for (scope, expected) in [("queue", 1), ("messageGroup", 2)] {
        let mut bench = Bench::fifo(&[("DeduplicationScope", scope)]);
        bench.send(fifo_message("a", "same", "a"));
        bench.send(fifo_message("b", "same", "b"));
        assert_eq!(bench.receive_bodies(10).len(), expected, "{scope}");
    }
}

#[test]
fn content_decides_about_duplicates_unless_an_id_does() {
    let mut bench = Bench::fifo(&[("ContentBasedDeduplication", "true")]);
    let without_id = NewMessage { deduplication_id: None, ..fifo_message("a", "", "same") };
    bench.send(without_id.clone());
    bench.send(without_id);
    bench.send(fifo_message("a", "other", "same"));
    let ids: Vec<_> = bench
        .receive(10, 30)
        .iter()
        .map(|delivery| delivery.message.content.deduplication_id.clone().unwrap())
        .collect();
    assert_eq!(ids, [content_deduplication_id("same"), "other".to_owned()]);
}

#[test]
fn sequence_numbers_rise_and_standard_messages_have_none() {
    let mut bench = Bench::fifo(&[]);
    let (first, second) = (bench.send_to_group("a", "1"), bench.send_to_group("b", "2"));
    assert!(first.sequence_number < second.sequence_number);
    assert_eq!(first.sequence_number.map(|number| number.len()), Some(20));
    assert_eq!(Bench::standard(&[]).send_standard("m", None).sequence_number, None);
}

#[test]
fn a_standard_message_may_override_its_queues_delay() {
    let mut bench = Bench::standard(&[("DelaySeconds", "10")]);
    bench.send_standard("queue's delay", None);
    bench.send_standard("own delay", Some(5));
    bench.send_standard("no delay", Some(0));
    assert_eq!(bench.counts(), (1, 0, 2));
    assert_eq!(bench.receive_bodies(10), ["no delay"]);
    bench.wait_ms(5_000);
    assert_eq!(bench.receive_bodies(10), ["own delay"]);
    bench.wait_ms(5_000);
    assert_eq!(bench.receive_bodies(10), ["queue's delay"]);
}

#[test]
fn a_new_delay_also_applies_to_fifo_messages_that_are_still_delayed() {
    let mut bench = Bench::fifo(&[("DelaySeconds", "100")]);
    bench.send_to_group("a", "1");
    bench.wait_ms(4_000);
    let settings = bench.queue.settings().with(&to_attributes(&[("DelaySeconds", "5")])).unwrap();
    bench.queue.set_settings(bench.now_ms, settings);
    bench.send_to_group("a", "2");
    bench.wait_ms(1_000);
    assert_eq!(bench.receive_bodies(10), ["1"]);
}

#[test]
fn messages_are_dropped_when_their_retention_period_ends() {
    let mut bench = Bench::fifo(&[("MessageRetentionPeriod", "60")]);
    bench.send_to_group("a", "1");
    bench.wait_ms(1_000);
    bench.send_to_group("a", "2");
    assert_eq!(bench.receive(1, 300).len(), 1);
    bench.wait_ms(58_999);
    assert!(bench.receive_bodies(10).is_empty());
    assert_eq!(bench.queue.next_change_at_ms(), Some(bench.now_ms + 1));
    bench.wait_ms(1);
    assert_eq!(bench.receive_bodies(10), ["2"]);
    assert_eq!(bench.counts(), (0, 1, 0));
}

#[test]
fn a_message_received_too_often_is_taken_out_and_its_group_goes_on() {
    let mut bench = Bench::fifo(&[]);
    for body in ["poison", "good"] {
        bench.send_to_group("a", body);
    }
    for _ in 0..2 {
        let received = bench.queue.receive(bench.now_ms, 1, 1, Some(2));
        assert_eq!(bodies(&received.deliveries), ["poison"]);
        bench.wait_ms(1_000);
    }
    let received = bench.queue.receive(bench.now_ms, 1, 1, Some(2));
    assert_eq!(bodies(&received.deliveries), ["good"]);
    assert_eq!(received.dead_letters[0].content.body, "poison");
    assert_eq!(bench.counts(), (0, 1, 0));
}

#[test]
fn a_purge_deletes_everything_and_forgets_what_was_accepted_and_is_allowed_once_a_minute() {
    let mut bench = Bench::fifo(&[]);
    let original = bench.send_to_group("a", "1");
    bench.send_to_group("a", "2");
    bench.receive(1, 30);
    assert_eq!(bench.queue.purge(bench.now_ms), Ok(()));
    assert_eq!(bench.counts(), (0, 0, 0));
    let again = bench.send_to_group("a", "1");
    assert!(again.sequence_number > original.sequence_number);
    assert_eq!(bench.receive_bodies(10), ["1"]);
    bench.wait_ms(59_999);
    assert_eq!(bench.queue.purge(bench.now_ms), Err(QueueError::PurgeQueueInProgress));
    bench.wait_ms(1);
    assert_eq!(bench.queue.purge(bench.now_ms), Ok(()));
}

#[test]
fn the_next_change_is_the_first_delay_or_timeout_to_end() {
    let mut bench = Bench::standard(&[]);
    bench.send_standard("now", None);
    bench.receive(1, 30);
    bench.send_standard("later", Some(10));
    assert_eq!(bench.queue.next_change_at_ms(), Some(bench.now_ms + 10_000));
    bench.wait_ms(10_000);
    bench.receive(1, 30);
    assert_eq!(bench.queue.next_change_at_ms(), Some(bench.now_ms + 20_000));
}
