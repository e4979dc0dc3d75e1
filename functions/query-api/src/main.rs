//! The Lambda entry point of `query-api`.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;
use query_api::QueryApi;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let api = QueryApi::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<ApiGatewayV2httpRequest>| {
        Ok::<_, Error>(api.handle(event.payload, Utc::now()).await)
    }))
    .await
}
