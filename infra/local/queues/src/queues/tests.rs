//! Tests of the queues together.

use super::*;

const NOW_MS: u64 = 1_000_000_000_000;

fn queues() -> Queues {
    Queues::new("us-east-1", Uuid::from_u128(1))
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn policy(target: &str, max_receive_count: u32) -> String {
    format!(
        r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{target}","maxReceiveCount":{max_receive_count}}}"#
    )
}

/// Returns a standard queue `source` whose messages go to `dead` after one receive.
fn with_dead_letters() -> Queues {
    let mut queues = queues();
    queues.create(NOW_MS, &name("dead"), &Attributes::new()).unwrap();
    queues.create(NOW_MS, &name("source"), &attributes(&[("RedrivePolicy", &policy("dead", 1))])).unwrap();
    queues
}

fn send(queues: &mut Queues, queue: &str, body: &str) -> Sent {
    let message = NewMessage { body: body.to_owned(), ..NewMessage::default() };
    queues.send(NOW_MS, &name(queue), message).unwrap()
}

fn receive(queues: &mut Queues, now_ms: u64, queue: &str) -> Vec<Delivery> {
    let request =
        ReceiveRequest { max_messages: 10, visibility_timeout_seconds: Some(1), wait_seconds: None };
    queues.receive(now_ms, &name(queue), request).unwrap()
}

#[test]
fn a_queue_is_created_again_only_with_the_attributes_it_has() {
    let mut queues = queues();
    let mut create = |pairs: &[(&str, &str)]| queues.create(NOW_MS, &name("q"), &attributes(pairs));
    assert_eq!(create(&[("DelaySeconds", "5")]), Ok(()));
    assert_eq!(create(&[("DelaySeconds", "5")]), Ok(()));
    assert_eq!(create(&[]), Ok(()));
    assert_eq!(
        create(&[("VisibilityTimeout", "31")]),
        Err(QueueError::QueueNameExists { attribute: "VisibilityTimeout".to_owned() })
    );
}

#[test]
fn a_name_is_free_again_a_minute_after_its_queue_was_deleted() {
    let mut queues = queues();
    let create = |queues: &mut Queues, now_ms| queues.create(now_ms, &name("q"), &Attributes::new());
    assert_eq!(create(&mut queues, NOW_MS), Ok(()));
    queues.delete(NOW_MS, &name("q")).unwrap();
    assert_eq!(create(&mut queues, NOW_MS + 59_999), Err(QueueError::QueueDeletedRecently));
    assert_eq!(create(&mut queues, NOW_MS + 60_000), Ok(()));
}

#[test]
fn a_fifo_batch_needs_a_group_and_an_id_for_each_of_its_messages() {
    let mut queues = queues();
    queues.create(NOW_MS, &name("f.fifo"), &attributes(&[("FifoQueue", "true")])).unwrap();
    let whole = NewMessage {
        body: "m".to_owned(),
        group_id: Some("g".to_owned()),
        deduplication_id: Some("d".to_owned()),
        ..NewMessage::default()
    };
    let without_group = NewMessage { group_id: None, ..whole.clone() };
    let without_id = NewMessage { deduplication_id: None, ..whole.clone() };
    let check = |messages: &[&NewMessage]| queues.check_batch(&name("f.fifo"), messages.iter().copied());
    assert_eq!(check(&[&whole]), Ok(()));
    assert_eq!(check(&[&whole, &without_id]), Err(QueueError::DeduplicationIdRequired));
    let refused = check(&[&whole, &without_group]).unwrap_err();
    assert_eq!(refused.query_code(), "InvalidParameterValue");
}

#[test]
fn a_queue_is_fifo_exactly_if_its_name_says_so() {
    let mut create = {
        let mut queues = queues();
        move |text: &str, pairs: &[(&str, &str)]| queues.create(NOW_MS, &name(text), &attributes(pairs))
    };
    assert_eq!(create("q.fifo", &[("FifoQueue", "true")]), Ok(()));
    assert!(create("r.fifo", &[]).is_err());
    assert!(create("r", &[("FifoQueue", "true")]).is_err());
    assert!(create("r", &[("FifoQueue", "false")]).is_err());
}

#[test]
fn a_dead_letter_queue_exists_is_of_the_same_kind_and_is_another() {
    let mut queues = queues();
    queues.create(NOW_MS, &name("q"), &Attributes::new()).unwrap();
    queues.create(NOW_MS, &name("f.fifo"), &attributes(&[("FifoQueue", "true")])).unwrap();
    for target in ["missing", "q", "f.fifo"] {
        let set =
            queues.set_attributes(NOW_MS, &name("q"), &attributes(&[("RedrivePolicy", &policy(target, 1))]));
        assert!(matches!(set, Err(QueueError::InvalidAttributeValue { .. })), "{target}");
    }
}

#[test]
fn a_dead_letter_keeps_its_id_its_age_and_its_receive_count() {
    let mut queues = with_dead_letters();
    let sent = send(&mut queues, "source", "m");
    receive(&mut queues, NOW_MS, "source");
    assert!(receive(&mut queues, NOW_MS + 1_000, "source").is_empty());
    let dead = receive(&mut queues, NOW_MS + 2_000, "dead").remove(0).message;
    assert_eq!((dead.id, dead.sent_at_ms, dead.receive_count), (sent.message_id, NOW_MS, 2));
    assert_eq!(dead.dead_letter_source_arn.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:source"));
}

#[test]
fn without_its_dead_letter_queue_a_message_stays() {
    let mut queues = with_dead_letters();
    queues.delete(NOW_MS, &name("dead")).unwrap();
    send(&mut queues, "source", "m");
    for second in 0..5 {
        assert_eq!(receive(&mut queues, NOW_MS + second * 1_000, "source").len(), 1);
    }
    let other_change = attributes(&[("DelaySeconds", "1")]);
    assert_eq!(queues.set_attributes(NOW_MS, &name("source"), &other_change), Ok(()));
}

#[test]
fn a_move_task_sends_dead_letters_back_as_new_messages() {
    let mut queues = with_dead_letters();
    let sent = send(&mut queues, "source", "m");
    receive(&mut queues, NOW_MS, "source");
    receive(&mut queues, NOW_MS + 1_000, "source");
    let task = queues.start_move_task(NOW_MS + 2_000, &name("dead").arn("us-east-1"), None, None).unwrap();
    assert_eq!((task.messages_moved, task.messages_to_move, task.status()), (1, 1, "COMPLETED"));
    let message = receive(&mut queues, NOW_MS + 2_000, "source").remove(0).message;
    assert_ne!(message.id, sent.message_id);
    assert_eq!((message.receive_count, message.sent_at_ms), (1, NOW_MS + 2_000));
    assert_eq!(queues.move_tasks(&name("dead").arn("us-east-1"), 10).unwrap(), [task]);
}

#[test]
fn a_move_task_stops_at_a_message_that_came_from_nowhere() {
    let mut queues = with_dead_letters();
    send(&mut queues, "dead", "sent directly");
    let dead_arn = name("dead").arn("us-east-1");
    let task = queues.start_move_task(NOW_MS, &dead_arn, None, None).unwrap();
    assert_eq!((task.messages_moved, task.status()), (0, "FAILED"));
    assert_eq!(receive(&mut queues, NOW_MS, "dead").len(), 1);
    let task = queues
        .start_move_task(NOW_MS + 1_000, &dead_arn, Some(&name("source").arn("us-east-1")), None)
        .unwrap();
    assert_eq!((task.messages_moved, task.status()), (1, "COMPLETED"));
    assert_eq!(receive(&mut queues, NOW_MS + 1_000, "source").len(), 1);
}

#[test]
fn only_a_dead_letter_queue_can_be_moved_out_of_and_not_into_itself() {
    let mut queues = with_dead_letters();
    let (source, dead) = (name("source").arn("us-east-1"), name("dead").arn("us-east-1"));
    for (from, to) in [(&source, None), (&dead, Some(dead.as_str()))] {
        let task = queues.start_move_task(NOW_MS, from, to, None);
        assert!(matches!(task, Err(QueueError::InvalidParameterValue { .. })));
    }
    assert!(matches!(
        queues.start_move_task(NOW_MS, "arn:aws:sqs:us-east-1:000000000000:none", None, None),
        Err(QueueError::ResourceNotFound { .. })
    ));
}

#[test]
fn a_queue_is_stirred_by_what_makes_messages_receivable_and_not_by_a_receive() {
    let mut queues = with_dead_letters();
    queues.take_stirred();
    let stirred =
        |queues: &mut Queues| queues.take_stirred().iter().map(QueueName::to_string).collect::<Vec<_>>();
    receive(&mut queues, NOW_MS, "source");
    assert!(stirred(&mut queues).is_empty());
    send(&mut queues, "source", "m");
    assert_eq!(stirred(&mut queues), ["source"]);
    receive(&mut queues, NOW_MS, "source");
    assert!(stirred(&mut queues).is_empty());
    receive(&mut queues, NOW_MS + 1_000, "source");
    assert_eq!(stirred(&mut queues), ["dead"]);
}
