//! The real SQS client against a served endpoint, with the time in the test's hands.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, QueueAttributeName,
};
use local_queues::{ManualClock, MessageCounts, QueueService, serve, serve_until};
use runtime::aws::SqsQueues;
use runtime::{Queue, QueueUrls, Queues, SystemClock, Variables};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

mod batches;
mod long_polls;

type TestResult = Result<(), Box<dyn Error>>;

/// A served endpoint with a client of it.
struct Endpoint {
    client: Client,
    sdk: SdkConfig,
    service: QueueService,
    clock: ManualClock,
}

fn sdk_of(address: SocketAddr) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

impl Endpoint {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let clock = ManualClock::starting_at(1_700_000_000_000);
        let service = QueueService::new(address).with_clock(clock.clone()).with_region("eu-west-1");
        tokio::spawn(serve(listener, service.clone()));
        let sdk = sdk_of(address);
        Ok(Self { client: Client::new(&sdk), sdk, service, clock })
    }

    fn create(&self, name: &str, attributes: &[(&str, &str)]) -> Result<String, Box<dyn Error>> {
        let fifo = name.strip_suffix(".fifo").map(|_| ("FifoQueue", "true"));
        Ok(self.service.create_queue(name, attributes.iter().copied().chain(fifo))?)
    }

    /// Creates `source` and `dead`, or their FIFO namesakes, and returns their URLs.
    fn create_with_dead_letters(
        &self,
        suffix: &str,
        max_receive_count: u32,
    ) -> Result<(String, String), Box<dyn Error>> {
        let dead_arn = dead_letter_arn(suffix);
        let policy =
            format!(r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":"{max_receive_count}"}}"#);
        let dead = self.create(&format!("dead{suffix}"), &[])?;
        let source = self
            .create(&format!("source{suffix}"), &[("RedrivePolicy", &policy), ("VisibilityTimeout", "1")])?;
        Ok((source, dead))
    }

    fn send(&self, url: &str, body: &str) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(url).message_body(body)
    }

    /// Sends to the group named by the body's first letter, with the body as deduplication id.
    async fn send_fifo(&self, url: &str, body: &str) -> TestResult {
        self.send(url, body).message_group_id(&body[..1]).message_deduplication_id(body).send().await?;
        Ok(())
    }

    async fn receive(&self, url: &str, max_messages: i32) -> Result<Vec<Message>, Box<dyn Error>> {
        let received = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(max_messages)
            .wait_time_seconds(0)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn delete(&self, url: &str, message: &Message) -> TestResult {
        let receipt_handle = message.receipt_handle.clone();
        self.client.delete_message().queue_url(url).set_receipt_handle(receipt_handle).send().await?;
        Ok(())
    }

    /// Starts a long poll, and returns once it is certainly waiting.
    async fn start_long_poll(&self, url: &str) -> JoinHandle<(Vec<String>, Duration)> {
        let receive = self.client.receive_message().queue_url(url).wait_time_seconds(20);
        let poll = tokio::spawn(async move {
            let started = Instant::now();
            let received = receive.send().await.expect("the queue exists");
            (bodies(received.messages()), started.elapsed())
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!poll.is_finished(), "there is nothing to receive yet");
        poll
    }

    fn counts(&self, name: &str) -> (usize, usize, usize) {
        let summary = self.service.queues().into_iter().find(|queue| queue.name == name);
        let MessageCounts { visible, in_flight, delayed } = summary.expect("the queue exists").counts;
        (visible, in_flight, delayed)
    }
}

fn dead_letter_arn(suffix: &str) -> String {
    format!("arn:aws:sqs:eu-west-1:000000000000:dead{suffix}")
}

fn bodies(messages: &[Message]) -> Vec<String> {
    messages.iter().filter_map(|message| message.body.clone()).collect()
}

fn attribute<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> Option<&'a str> {
    message.attributes()?.get(name).map(String::as_str)
}

#[tokio::test]
async fn queues_are_created_found_described_changed_and_deleted() -> TestResult {
    let Endpoint { client, service, .. } = Endpoint::start().await?;
    let create = || {
        client
            .create_queue()
            .queue_name("orders.fifo")
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::DeduplicationScope, "messageGroup")
            .attributes(QueueAttributeName::FifoThroughputLimit, "perMessageGroupId")
    };
    let url = create().send().await?.queue_url.ok_or("a URL")?;
    assert_eq!(create().send().await?.queue_url.as_ref(), Some(&url));
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/000000000000/orders.fifo"));
    let conflict = create().attributes(QueueAttributeName::DelaySeconds, "9").send().await;
    assert!(conflict.expect_err("a refusal").into_service_error().is_queue_name_exists());

    assert_eq!(
        client.get_queue_url().queue_name("orders.fifo").send().await?.queue_url(),
        Some(url.as_str())
    );
    client.create_queue().queue_name("payments").send().await?;
    let listed = client.list_queues().queue_name_prefix("ord").send().await?;
    assert_eq!(listed.queue_urls(), std::slice::from_ref(&url));
    let first_page = client.list_queues().max_results(1).send().await?;
    let second_page =
        client.list_queues().max_results(1).set_next_token(first_page.next_token).send().await?;
    assert!(second_page.queue_urls()[0].ends_with("/payments"));
    assert_eq!(second_page.next_token, None);

    client
        .set_queue_attributes()
        .queue_url(&url)
        .attributes(QueueAttributeName::VisibilityTimeout, "7")
        .send()
        .await?;
    let described = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await?
        .attributes
        .ok_or("attributes")?;
    for (name, expected) in [
        (QueueAttributeName::QueueArn, "arn:aws:sqs:eu-west-1:000000000000:orders.fifo"),
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::DeduplicationScope, "messageGroup"),
        (QueueAttributeName::FifoThroughputLimit, "perMessageGroupId"),
        (QueueAttributeName::VisibilityTimeout, "7"),
        (QueueAttributeName::ApproximateNumberOfMessages, "0"),
        (QueueAttributeName::CreatedTimestamp, "1700000000"),
    ] {
        assert_eq!(described.get(&name).map(String::as_str), Some(expected), "{name}");
    }

    client.delete_queue().queue_url(&url).send().await?;
    let missing = client.get_queue_url().queue_name("orders.fifo").send().await.expect_err("a refusal");
    assert!(missing.into_service_error().is_queue_does_not_exist());
    assert_eq!(service.queues().into_iter().map(|queue| queue.name).collect::<Vec<_>>(), ["payments"]);
    Ok(())
}

#[tokio::test]
async fn a_fifo_group_keeps_its_order_and_is_blocked_while_in_flight() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    for body in ["a1", "b1", "a2", "b2", "a3"] {
        endpoint.send_fifo(&url, body).await?;
    }
    let first = endpoint.receive(&url, 1).await?;
    assert_eq!(bodies(&first), ["a1"]);
    assert_eq!(attribute(&first[0], &MessageSystemAttributeName::MessageGroupId), Some("a"));
    assert_eq!(attribute(&first[0], &MessageSystemAttributeName::MessageDeduplicationId), Some("a1"));
    assert_eq!(attribute(&first[0], &MessageSystemAttributeName::ApproximateReceiveCount), Some("1"));
    assert_eq!(attribute(&first[0], &MessageSystemAttributeName::SentTimestamp), Some("1700000000000"));
    assert!(attribute(&first[0], &MessageSystemAttributeName::SequenceNumber).is_some());
    assert_eq!(bodies(&endpoint.receive(&url, 10).await?), ["b1", "b2"]);
    assert_eq!(endpoint.counts("q.fifo"), (2, 3, 0));
    endpoint.delete(&url, &first[0]).await?;
    assert_eq!(bodies(&endpoint.receive(&url, 10).await?), ["a2", "a3"]);
    Ok(())
}

#[tokio::test]
async fn a_duplicate_gets_the_original_answer_until_five_minutes_have_passed() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    let send = |body| endpoint.send(&url, body).message_group_id("g").message_deduplication_id("d").send();
    let original = send("original").await?;
    endpoint.clock.advance(Duration::from_millis(299_999));
    let duplicate = send("duplicate").await?;
    assert_eq!(duplicate.message_id, original.message_id);
    assert_eq!(duplicate.sequence_number, original.sequence_number);
    endpoint.clock.advance(Duration::from_millis(1));
    assert_ne!(send("new").await?.message_id, original.message_id);
    assert_eq!(bodies(&endpoint.receive(&url, 10).await?), ["original", "new"]);
    Ok(())
}

#[tokio::test]
async fn a_poison_message_ends_in_the_dead_letter_queue_and_can_be_moved_back() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let (source, dead) = endpoint.create_with_dead_letters(".fifo", 2)?;
    for body in ["poison", "perfect"] {
        endpoint.send_fifo(&source, body).await?;
    }
    for _ in 0..2 {
        assert_eq!(bodies(&endpoint.receive(&source, 1).await?), ["poison"]);
        endpoint.clock.advance(Duration::from_secs(1));
    }
    let good = endpoint.receive(&source, 1).await?;
    assert_eq!(bodies(&good), ["perfect"]);
    endpoint.delete(&source, &good[0]).await?;

    let dead_letters = endpoint.receive(&dead, 10).await?;
    assert_eq!(bodies(&dead_letters), ["poison"]);
    assert_eq!(attribute(&dead_letters[0], &MessageSystemAttributeName::MessageGroupId), Some("p"));
    assert_eq!(
        attribute(&dead_letters[0], &MessageSystemAttributeName::DeadLetterQueueSourceArn),
        Some("arn:aws:sqs:eu-west-1:000000000000:source.fifo")
    );
    endpoint.clock.advance(Duration::from_secs(30));

    let dead_arn = dead_letter_arn(".fifo");
    endpoint.client.start_message_move_task().source_arn(&dead_arn).send().await?;
    let tasks = endpoint.client.list_message_move_tasks().source_arn(&dead_arn).send().await?;
    assert_eq!(tasks.results()[0].status(), Some("COMPLETED"));
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);
    let again = endpoint.receive(&source, 10).await?;
    assert_eq!(bodies(&again), ["poison"]);
    assert_eq!(attribute(&again[0], &MessageSystemAttributeName::ApproximateReceiveCount), Some("1"));
    Ok(())
}

#[tokio::test]
async fn a_message_keeps_its_attributes_and_shows_those_asked_for() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q", &[])?;
    let value = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let trace_header =
        MessageSystemAttributeValue::builder().data_type("String").string_value("Root=1").build()?;
    let sent = endpoint
        .send(&url, "body")
        .message_attributes("timestamp", value("Number").string_value("1493147359900").build()?)
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace_header)
        .send()
        .await?;
    assert_eq!(sent.md5_of_message_body(), Some("841a2d689ad86bd1611447453c22c6fc"));
    // Amazon's own endpoint answers this attribute with this digest.
    assert_eq!(sent.md5_of_message_attributes(), Some("235c5c510d26fb653d073faed50ae77c"));
    endpoint
        .send(&url, "more")
        .message_attributes("shop.color", value("String.css").string_value("rebeccapurple").build()?)
        .message_attributes("image", value("Binary").binary_value(Blob::new([0, 255])).build()?)
        .send()
        .await?;

    let messages = endpoint.receive(&url, 10).await?;
    assert_eq!(messages[0].md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(messages[0].md5_of_body(), sent.md5_of_message_body());
    assert_eq!(attribute(&messages[0], &MessageSystemAttributeName::AwsTraceHeader), Some("Root=1"));
    let attributes: &HashMap<String, MessageAttributeValue> =
        messages[1].message_attributes().ok_or("attributes")?;
    assert_eq!(attributes["shop.color"].string_value(), Some("rebeccapurple"));
    assert_eq!(attributes["image"].binary_value(), Some(&Blob::new([0, 255])));

    endpoint.clock.advance(Duration::from_secs(30));
    let received = endpoint
        .client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(2)
        .message_attribute_names("shop.*")
        .send()
        .await?;
    let [first, second] = received.messages() else { return Err("two messages".into()) };
    assert_eq!((first.message_attributes(), first.attributes()), (None, None));
    assert_eq!(second.message_attributes().map(HashMap::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn a_standard_message_comes_back_after_its_timeout_and_dies_of_too_many_receives() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let (source, dead) = endpoint.create_with_dead_letters("", 1)?;
    endpoint.send(&source, "m").send().await?;
    let first = endpoint.receive(&source, 1).await?;
    let receipt_handle = first[0].receipt_handle.clone().ok_or("a handle")?;
    endpoint
        .client
        .change_message_visibility()
        .queue_url(&source)
        .receipt_handle(&receipt_handle)
        .visibility_timeout(60)
        .send()
        .await?;
    endpoint.clock.advance(Duration::from_secs(59));
    assert!(endpoint.receive(&source, 1).await?.is_empty());
    endpoint.clock.advance(Duration::from_secs(1));
    assert!(endpoint.receive(&source, 1).await?.is_empty(), "it was received once, and that was too often");
    assert_eq!(bodies(&endpoint.receive(&dead, 1).await?), ["m"]);
    Ok(())
}

#[tokio::test]
async fn a_trace_that_a_request_belongs_to_arrives_with_its_message() -> TestResult {
    const TRACE: &str = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1";
    let endpoint = Endpoint::start().await?;
    endpoint.create("q", &[])?;
    // A bare name does for a URL.
    let request = endpoint.send("q", "m").customize();
    let request = request.mutate_request(|request| {
        request.headers_mut().insert("X-Amzn-Trace-Id", TRACE);
    });
    request.send().await?;
    let message = endpoint.receive("q", 1).await?.remove(0);
    assert_eq!(attribute(&message, &MessageSystemAttributeName::AwsTraceHeader), Some(TRACE));
    Ok(())
}

#[tokio::test]
async fn a_shutdown_ends_the_long_polls_without_messages() -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = QueueService::new(address);
    let url = service.create_queue("q", [])?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve_until(listener, service.clone(), async {
        let _ = stopped.await;
    }));
    let client = Client::new(&sdk_of(address));
    let poll = client.receive_message().queue_url(&url).wait_time_seconds(20).send();
    let poll = tokio::spawn(poll);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!poll.is_finished());
    stop.send(()).map_err(|()| "the server waits for it")?;
    let received = tokio::time::timeout(Duration::from_secs(5), poll).await???;
    assert!(received.messages().is_empty());
    tokio::time::timeout(Duration::from_secs(5), server).await??;
    Ok(())
}

/// The ledger's own client of SQS sends again what the service did not take.
#[tokio::test]
async fn the_ledgers_queues_send_and_give_back() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("decisions.fifo", &[])?;
    let variables = Variables::new(move |name| (name == "DECISIONS_QUEUE_URL").then(|| url.clone()));
    let urls = QueueUrls::read(&variables);
    let queues = SqsQueues::new(&endpoint.sdk, urls, Arc::new(SystemClock));
    let message = |number: usize| runtime::Message {
        body: format!("m{number}"),
        group: Some(("g".to_owned(), number.to_string())),
        delay_s: None,
    };
    queues.send(Queue::Decisions, (0..12).map(message).collect()).await?;
    assert_eq!(endpoint.counts("decisions.fifo"), (12, 0, 0));
    let url = endpoint.service.queues()[0].url.clone();
    let received = endpoint.receive(&url, 2).await?;
    assert_eq!(bodies(&received), ["m0", "m1"]);
    let handle = received[1].receipt_handle.clone().ok_or("a handle")?;
    queues.change_visibility(Queue::Decisions, handle, 0).await?;
    assert_eq!(endpoint.counts("decisions.fifo"), (11, 1, 0));
    let unknown = queues.change_visibility(Queue::Decisions, "no handle".to_owned(), 0).await;
    assert!(unknown.expect_err("a refusal").message.contains("ReceiptHandleIsInvalid"));
    let without_url = queues.send(Queue::Talent, vec![message(1)]).await;
    assert!(without_url.expect_err("a refusal").message.contains("TALENT_QUEUE_URL"));
    Ok(())
}

#[tokio::test]
async fn refusals_carry_the_codes_the_client_knows() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    let missing_queue = url.replace("q.fifo", "missing");
    let error = endpoint.send(&missing_queue, "m").send().await.expect_err("a refusal").into_service_error();
    assert!(error.is_queue_does_not_exist());
    assert_eq!(error.code(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    let error = endpoint.send(&url, "m").send().await.expect_err("a refusal").into_service_error();
    assert_eq!(error.code(), Some("MissingParameter"));
    let error = endpoint.send(&url, "\u{1}").message_group_id("g").message_deduplication_id("d").send().await;
    assert!(error.expect_err("a refusal").into_service_error().is_invalid_message_contents());
    let error =
        endpoint.send(&url, "m").delay_seconds(901).send().await.expect_err("a refusal").into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    let error = endpoint.client.delete_message().queue_url(&url).receipt_handle("x").send().await;
    assert!(error.expect_err("a refusal").into_service_error().is_receipt_handle_is_invalid());
    let error = endpoint
        .client
        .list_queue_tags()
        .queue_url(&url)
        .send()
        .await
        .expect_err("a refusal")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidAction"));
    Ok(())
}

#[tokio::test]
async fn a_body_of_one_mebibyte_passes_in_every_script() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q", &[])?;
    for body in ["x".repeat(1_048_576), "\"".repeat(1_048_576), "漢".repeat(349_525)] {
        endpoint.send(&url, &body).send().await?;
        assert_eq!(bodies(&endpoint.receive(&url, 1).await?), [body]);
    }
    assert!(endpoint.send(&url, &"x".repeat(1_048_577)).send().await.is_err());
    Ok(())
}
