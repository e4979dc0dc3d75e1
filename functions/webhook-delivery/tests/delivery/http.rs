//! Messages over a connection of this machine.

use domain::webhooks::{Host, Reach, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use webhook_delivery::{HttpTransport, Post, Transport};

fn post(url: &str) -> Post {
    Post {
        target: Target::parse(url, Reach::ThisMachine).expect("an address"),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", "mining_1_2".to_owned()),
        ],
        body: r#"{"a":1}"#.to_owned(),
    }
}

/// Answers one request, and returns what it was.
async fn subscriber(listener: TcpListener, answer: &'static str) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut request = Vec::new();
    while !request.ends_with(br#"{"a":1}"#) {
        let mut part = [0; 1_024];
        let length = stream.read(&mut part).await.expect("readable");
        assert!(length > 0, "the request is whole");
        request.extend_from_slice(&part[..length]);
    }
    stream.write_all(answer.as_bytes()).await.expect("writable");
    String::from_utf8(request).expect("text")
}

#[tokio::test]
async fn a_message_is_posted_with_its_headers_and_the_status_of_the_answer_comes_back() {
    for (answer, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n", 302),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 1000000\r\n\r\nnever read", 500),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let transport = HttpTransport::new(Reach::ThisMachine).expect("a transport");
        let sending = transport.post(post(&format!("http://localhost:{port}/in?a=b")));
        let (outcome, request) = tokio::join!(sending, subscriber(listener, answer));
        assert_eq!(outcome, Ok(status));
        let request = request.to_lowercase();
        assert!(request.starts_with("post /in?a=b http/1.1\r\n"), "{request}");
        for header in [&format!("host: localhost:{port}"), "webhook-id: mining_1_2", "content-length: 7"] {
            assert!(request.contains(&format!("{header}\r\n")), "{request}");
        }
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let transport = HttpTransport::new(Reach::Public).expect("a transport");
    // As a name of the public Internet would be that was bound to this machine after it was checked.
    let target =
        Target { is_encrypted: false, host: Host::Name("localhost".to_owned()), port, path: "/".to_owned() };
    let refused = transport.post(Post { target, ..post("http://localhost/") }).await;
    assert!(refused.as_ref().is_err_and(|why| why.contains("not of the public Internet")), "{refused:?}");
    drop(listener);
}

#[tokio::test]
async fn where_nothing_listens_the_failure_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let transport = HttpTransport::new(Reach::ThisMachine).expect("a transport");
    let failed = transport.post(post(&format!("http://127.0.0.1:{port}/"))).await;
    assert!(failed.as_ref().is_err_and(|why| why.contains("no connection")), "{failed:?}");
}
