//! Actions on many messages at once.

use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::builders::SendMessageBatchRequestEntryBuilder;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry,
};

use super::*;

fn entry(id: usize) -> SendMessageBatchRequestEntryBuilder {
    SendMessageBatchRequestEntry::builder()
        .id(id.to_string())
        .message_body(id.to_string())
        .message_deduplication_id(id.to_string())
}

#[tokio::test]
async fn a_batch_of_sends_answers_for_each_entry() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    let without_group = endpoint
        .client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry(0).message_group_id("g").build()?)
        .entries(entry(1).build()?)
        .send()
        .await;
    assert_eq!(
        without_group.expect_err("a refusal").code(),
        Some("InvalidParameterValue"),
        "what lacks a group takes the whole batch with it"
    );
    assert_eq!(endpoint.counts("q.fifo"), (0, 0, 0));

    let sent = send_ten_of_which_one_fails(&endpoint, &url).await?;
    assert_eq!(sent.successful().len(), 9);
    assert_eq!((sent.failed()[0].id(), sent.failed()[0].code()), ("3", "InvalidParameterValue"));
    assert_eq!(bodies(&endpoint.receive(&url, 10).await?), ["0", "1", "2", "4", "5", "6", "7", "8", "9"]);
    Ok(())
}

/// Sends messages 0 to 9 to one group. Message 3 has a delay of its own, which a FIFO queue refuses.
async fn send_ten_of_which_one_fails(
    endpoint: &Endpoint,
    url: &str,
) -> Result<SendMessageBatchOutput, Box<dyn Error>> {
    let entries =
        (0..10).map(|id| entry(id).message_group_id("g").set_delay_seconds((id == 3).then_some(5)).build());
    let entries = entries.collect::<Result<_, _>>()?;
    Ok(endpoint.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await?)
}

#[tokio::test]
async fn batches_of_deletions_and_of_returns_answer_for_each_entry() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    send_ten_of_which_one_fails(&endpoint, &url).await?;
    let messages = endpoint.receive(&url, 10).await?;
    let handle = |place: usize| messages[place].receipt_handle.clone().unwrap_or_default();
    let delete_entry = |id: &str, handle: String| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build()
    };
    let deleted = endpoint
        .client
        .delete_message_batch()
        .queue_url(&url)
        .entries(delete_entry("good", handle(0))?)
        .entries(delete_entry("bad", "not a handle".to_owned())?)
        .send()
        .await?;
    assert_eq!(deleted.successful()[0].id(), "good");
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");

    let give_back = |place: usize| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(place.to_string())
            .receipt_handle(handle(place))
            .visibility_timeout(0)
            .build()
    };
    endpoint
        .client
        .change_message_visibility_batch()
        .queue_url(&url)
        .set_entries(Some((1..9).map(give_back).collect::<Result<_, _>>()?))
        .send()
        .await?;
    assert_eq!(endpoint.counts("q.fifo"), (8, 0, 0));
    endpoint.client.purge_queue().queue_url(&url).send().await?;
    assert_eq!(endpoint.counts("q.fifo"), (0, 0, 0));
    Ok(())
}

#[tokio::test]
async fn a_batch_that_is_too_long_is_refused_as_a_whole() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    let too_many = endpoint
        .client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some((0..11).map(|id| entry(id).build()).collect::<Result<_, _>>()?))
        .send()
        .await;
    assert!(too_many.expect_err("a refusal").into_service_error().is_too_many_entries_in_batch_request());
    let half = "x".repeat(600 * 1024);
    let too_long = endpoint
        .client
        .send_message_batch()
        .queue_url(&url)
        .entries(entry(1).message_body(&half).build()?)
        .entries(entry(2).message_body(&half).build()?)
        .send()
        .await;
    assert!(too_long.expect_err("a refusal").into_service_error().is_batch_request_too_long());
    Ok(())
}
