//! The tables and queues of AWS, and the loop of a Lambda function.

mod call;
mod dynamodb;
mod lambda;
mod sqs;

use aws_config::SdkConfig;
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

pub use dynamodb::DynamoEngine;
pub use lambda::run;
pub use sqs::SqsQueues;

/// Returns the settings of the SDK as the environment variables have them: region, credentials, and
/// `AWS_ENDPOINT_URL_DYNAMODB` and `AWS_ENDPOINT_URL_SQS`.
pub async fn sdk_config() -> SdkConfig {
    let http_client = HttpClientBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::from_env()
        .http_client(http_client)
        // Each call is tried again where it is made, because only there is known what a repeated write means.
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .load()
        .await
}
