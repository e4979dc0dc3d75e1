//! A server that answers each request as a test wants.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Such as `POST /`.
    pub(crate) line: String,
    /// Each as `name: value`, the name in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// What a test answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A status, further headers and a body.
    Status(u16, Vec<String>, String),
    /// The connection is closed without an answer.
    Close,
    /// There is never an answer.
    Silence,
}

/// A server that listens until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts a server that answers what `answer` returns for the request and its number, from 0.
    pub(crate) async fn start(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&requests), Arc::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut connection = BufReader::new(connection);
                    while let Some(request) = read(&mut connection).await {
                        let number = {
                            let mut noted = noted.lock().unwrap();
                            noted.push(request.clone());
                            noted.len() - 1
                        };
                        if !write(&mut connection, answer(number, &request)).await {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, requests, task }
    }

    /// Returns every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(connection: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let line = match line.split_once(':') {
            Some((name, value)) if !lines.is_empty() => format!("{}:{value}", name.to_lowercase()),
            _ => line.trim_end_matches(" HTTP/1.1").to_owned(),
        };
        lines.push(line);
    }
    let length =
        lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let line = lines.remove(0);
    Some(Request { line, headers: lines, body: String::from_utf8(body).ok()? })
}

/// Returns whether the connection stays open.
async fn write(connection: &mut BufReader<TcpStream>, answer: Answer) -> bool {
    let (status, headers, body) = match answer {
        Answer::Status(status, headers, body) => (status, headers, body),
        Answer::Close => return false,
        Answer::Silence => std::future::pending().await,
    };
    let mut lines = vec![format!("HTTP/1.1 {status} answer")];
    lines.extend(headers);
    lines.push(format!("content-length: {}\r\n\r\n", body.len()));
    let head = lines.join("\r\n");
    connection.write_all(format!("{head}{body}").as_bytes()).await.is_ok()
}
