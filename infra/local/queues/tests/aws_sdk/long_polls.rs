//! Receives that wait.

use super::*;

#[tokio::test]
async fn a_long_poll_wakes_on_a_send() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q", &[])?;
    let poll = endpoint.start_long_poll(&url).await;
    endpoint.send(&url, "m").send().await?;
    let (bodies, waited) = poll.await?;
    assert_eq!(bodies, ["m"]);
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    Ok(())
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_delay_ends() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q", &[])?;
    let poll = endpoint.start_long_poll(&url).await;
    endpoint.send(&url, "m").delay_seconds(5).send().await?;
    assert_eq!(endpoint.counts("q"), (0, 0, 1));
    endpoint.clock.advance(Duration::from_secs(5));
    assert_eq!(poll.await?.0, ["m"]);
    Ok(())
}

#[tokio::test]
async fn a_long_poll_wakes_when_the_timeout_of_another_receiver_ends() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[("VisibilityTimeout", "5"), ("DelaySeconds", "2")])?;
    endpoint.send_fifo(&url, "m").await?;
    // When either began to wait, there was no telling until when the other would have the message.
    let first_poll = endpoint.start_long_poll(&url).await;
    let second_poll = endpoint.start_long_poll(&url).await;
    endpoint.clock.advance(Duration::from_secs(2));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(first_poll.is_finished() != second_poll.is_finished(), "one of them has the message");
    endpoint.clock.advance(Duration::from_secs(5));
    assert_eq!((first_poll.await?.0, second_poll.await?.0), (vec!["m".to_owned()], vec!["m".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_deletion_frees_the_group() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q.fifo", &[])?;
    for body in ["a1", "a2"] {
        endpoint.send_fifo(&url, body).await?;
    }
    let first = endpoint.receive(&url, 1).await?;
    let poll = endpoint.start_long_poll(&url).await;
    endpoint.delete(&url, &first[0]).await?;
    assert_eq!(poll.await?.0, ["a2"]);
    Ok(())
}

#[tokio::test]
async fn a_long_poll_ends_empty_when_its_time_is_up() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q", &[])?;
    let poll = endpoint.start_long_poll(&url).await;
    endpoint.clock.advance(Duration::from_secs(20));
    assert!(poll.await?.0.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_long_poll_whose_client_has_gone_takes_no_message() -> TestResult {
    let endpoint = Endpoint::start().await?;
    let url = endpoint.create("q", &[])?;
    let poll = endpoint.start_long_poll(&url).await;
    poll.abort();
    tokio::time::sleep(Duration::from_millis(100)).await;
    endpoint.send(&url, "m").send().await?;
    assert_eq!(bodies(&endpoint.receive(&url, 1).await?), ["m"]);
    Ok(())
}
