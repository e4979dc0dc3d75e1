//! The loop of a Lambda function: asks the Lambda service for events over the network, and answers them.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

use super::{DynamoEngine, SqsQueues, sdk_config};
use crate::{
    Builder, Clock, Context, Function, FunctionError, QueueUrls, Settings, SystemClock, TableNames,
    Variables, invoke, telemetry,
};

/// The variable by which a process learns that it runs as a function.
const RUNTIME_API_VARIABLE: &str = "AWS_LAMBDA_RUNTIME_API";
/// How long the start waits for the tables. Lambda gives it ten seconds in all.
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);
/// How long the report of a failed start may take.
const REPORT_LIMIT: Duration = Duration::from_secs(1);

/// Runs a function in the Lambda service, until the service ends the process.
///
/// `name` is the function's name in the template, for what is said before `build` has made the function.
pub fn run(name: &'static str, build: Builder) -> ExitCode {
    let Ok(runtime_api) = env::var(RUNTIME_API_VARIABLE) else {
        eprintln!("{}", explanation(name));
        return ExitCode::from(2);
    };
    let variables = Variables::of_process();
    telemetry::init_for_cloudwatch(variables.get("STAGE").as_deref());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail_to_start(name, &runtime_api, &error.to_string()),
    };
    match runtime.block_on(serve(variables, build)) {
        Err(StartError(message)) => fail_to_start(name, &runtime_api, &message),
        Ok(Err(error)) => {
            tracing::error!(function = name, error, "the loop of the function ended");
            ExitCode::FAILURE
        }
        Ok(Ok(())) => ExitCode::SUCCESS,
    }
}

/// Why a function cannot start.
struct StartError(String);

/// What every invocation of a process shares.
struct Environment {
    clock: Arc<dyn Clock>,
    engine: Arc<DynamoEngine>,
    queues: Arc<SqsQueues>,
    function: Arc<dyn Function>,
}

async fn serve(
    variables: Variables,
    build: Builder,
) -> Result<Result<(), lambda_runtime::Error>, StartError> {
    let environment = start(&variables, build).await?;
    let handler = service_fn(|event: LambdaEvent<Value>| environment.invoke(event));
    Ok(lambda_runtime::Runtime::new(handler).run().await)
}

async fn start(variables: &Variables, build: Builder) -> Result<Environment, StartError> {
    let invalid = |error: crate::SettingsError| StartError(error.to_string());
    let settings = Settings::read(variables).map_err(invalid)?;
    let names = TableNames::read(variables).map_err(invalid)?;
    let function = build(&settings).map_err(|error| StartError(error.to_string()))?;
    let sdk = sdk_config().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = DynamoEngine::new(&sdk, names, Arc::clone(&clock));
    // Credentials and a connection belong to the start, not to the first event.
    if tokio::time::timeout(WARM_UP_LIMIT, engine.warm_up()).await.is_err() {
        tracing::warn!("the tables did not answer yet; the first event will find out whether they do");
    }
    let queues = SqsQueues::new(&sdk, QueueUrls::read(variables), Arc::clone(&clock));
    Ok(Environment { clock, engine: Arc::new(engine), queues: Arc::new(queues), function })
}

impl Environment {
    async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Value, Failed> {
        let context = Context {
            clock: Arc::clone(&self.clock),
            deadline: event.context.deadline().into(),
            engine: Arc::clone(&self.engine) as _,
            queues: Arc::clone(&self.queues) as _,
            request_id: event.context.request_id,
        };
        invoke(self.function.as_ref(), event.payload, &context).await.map_err(Failed)
    }
}

/// A failed invocation, as it is reported to the service.
#[derive(Debug)]
struct Failed(FunctionError);

impl From<Failed> for Diagnostic {
    fn from(Failed(error): Failed) -> Self {
        Self { error_type: "FunctionError".to_owned(), error_message: error.message }
    }
}

fn explanation(name: &str) -> String {
    let variables = store::Table::ALL.map(store::Table::variable).join(", ");
    format!(
        "{name} is a function for AWS Lambda, which starts it and gives it events. To run the whole ledger on \
         this machine, use the command `contribution`. To run this function in an emulator, have it set \
         {RUNTIME_API_VARIABLE}, and set {variables} to the names of the tables."
    )
}

/// Says why the function cannot start, in the log and to the service.
fn fail_to_start(name: &str, runtime_api: &str, message: &str) -> ExitCode {
    tracing::error!(function = name, error = message, "the function cannot start");
    if let Err(error) = report_start_failure(runtime_api, message) {
        tracing::warn!(%error, "the service did not take the reason");
    }
    ExitCode::FAILURE
}

/// Tells the service that the start failed. Its address is this machine's, without encryption.
fn report_start_failure(runtime_api: &str, message: &str) -> io::Result<()> {
    let body = json!({"errorType": "StartError", "errorMessage": message, "stackTrace": []}).to_string();
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {runtime_api}\r\n\
         Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: StartError\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(runtime_api)?;
    connection.set_read_timeout(Some(REPORT_LIMIT))?;
    connection.set_write_timeout(Some(REPORT_LIMIT))?;
    connection.write_all(request.as_bytes())?;
    // The service has taken the report when it begins to answer.
    connection.read_exact(&mut [0; 1])
}
