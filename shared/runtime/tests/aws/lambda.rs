//! The loop of a function, as a process of its own with this process in the place of the service.

use std::env;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::http_server::{Answer, Request, Server};

/// Returns a command that starts the example `echo` with nothing but what it needs in its environment.
fn echo() -> Command {
    let test = env::current_exe().unwrap();
    let profile: PathBuf = test.ancestors().nth(2).unwrap().to_owned();
    let mut command = Command::new(profile.join("examples").join("echo"));
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Returns a command that starts it in the service at `server`.
fn start(server: &Server) -> Command {
    let mut command = echo();
    command
        .env("AWS_LAMBDA_RUNTIME_API", server.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "echo")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("STAGE", "test");
    command
}

/// Adds tables at the address of `tables`.
fn with_tables(mut command: Command, tables: &Server) -> Command {
    command.env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", tables.address));
    for table in store::Table::ALL {
        command.env(table.variable(), table.logical_name());
    }
    command
}

async fn output(child: Child) -> (Output, String) {
    let output = tokio::time::timeout(Duration::from_secs(10), child.wait_with_output()).await;
    let output = output.expect("it ends by itself").unwrap();
    let text = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();
    (output, text)
}

/// Returns a service that hands out these events, and what is answered to each.
async fn service(events: Vec<Value>) -> (Server, mpsc::Receiver<Request>) {
    let (answered, answers) = mpsc::channel();
    let events = std::sync::Mutex::new(events.into_iter());
    let answered = std::sync::Mutex::new(answered);
    let server = Server::start(move |number, request| {
        if request.line.starts_with("POST") {
            answered.lock().unwrap().send(request.clone()).unwrap();
            return Answer::Status(202, Vec::new(), "{}".to_owned());
        }
        let Some(event) = events.lock().unwrap().next() else { return Answer::Silence };
        let headers = vec![
            format!("Lambda-Runtime-Aws-Request-Id: request-{number}"),
            "Lambda-Runtime-Deadline-Ms: 1800000000000".to_owned(),
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:0:function:echo".to_owned(),
        ];
        Answer::Status(200, headers, event.to_string())
    })
    .await;
    (server, answers)
}

fn next(answers: &mpsc::Receiver<Request>) -> (String, Value) {
    let request = answers.recv_timeout(Duration::from_secs(10)).expect("the function answers");
    let path = request.line.split_once("/invocation/").map_or(request.line.as_str(), |(_, path)| path);
    (path.to_owned(), serde_json::from_str(&request.body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_answers_fails_and_panics_and_goes_on() {
    let (server, answers) = service(vec![json!("fail"), json!("panic"), json!({"a": 1})]).await;
    let tables = Server::start(|_, _| Answer::Status(200, Vec::new(), "{}".to_owned())).await;
    let child = with_tables(start(&server), &tables).spawn().unwrap();
    let (path, error) = next(&answers);
    assert!(path.starts_with("request-") && path.ends_with("/error"), "{path}");
    assert_eq!(error["errorMessage"], "as it was asked to");
    let (path, error) = next(&answers);
    assert!(path.ends_with("/error"), "{path}");
    assert_eq!(error["errorMessage"], "it panicked: as it was asked to");
    let (path, answer) = next(&answers);
    assert!(path.ends_with("/response"), "{path}");
    assert_eq!(answer["event"], json!({"a": 1}));
    assert_eq!(path, format!("{}/response", answer["request_id"].as_str().unwrap()));
    assert_eq!(tables.requests().len(), 1, "the start has tried the way to the tables");
    drop(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_why_in_the_log_and_to_the_service() {
    let (server, answers) = service(Vec::new()).await;
    let (output, text) = output(start(&server).spawn().unwrap()).await;
    assert_eq!(output.status.code(), Some(1));
    let why = "the environment variable SOURCE_TABLE is not set: set it to the name of the table Source";
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert_eq!(lines[0]["level"], "ERROR");
    assert_eq!(lines[0]["message"], "the function cannot start");
    assert_eq!(lines[0]["error"], why);
    let (path, report) = next(&answers);
    assert_eq!(path, "POST /2018-06-01/runtime/init/error");
    assert_eq!(report["errorMessage"], why);
}

#[tokio::test]
async fn a_function_that_is_started_by_hand_explains_itself() {
    let (output, text) = output(echo().spawn().unwrap()).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text.starts_with("Echo is a function for AWS Lambda"), "{text}");
    assert!(text.contains("AWS_LAMBDA_RUNTIME_API") && text.contains("LEDGER_TABLE"), "{text}");
}
