//! The whole path over DynamoDB: the engine that is deployed, over HTTP, against an implementation of the service.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use cdc::CapturedRecord;
use dynoxide::Database;
use end_to_end::{Harness, Options, Shuffle, ledger};
use runtime::aws::DynamoEngine;
use runtime::{SystemClock, TableNames, Variables};
use serde_json::Value;
use store::Table;
use tokio::net::TcpListener;

const CAPTURE: &str = include_str!("../../events/captures/ordering-incident.jsonl");
const EXPECTED: &str = include_str!("../../events/captures/ordering-incident.expected.json");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_incident_has_the_same_ledger_over_dynamodb() {
    let records: Vec<CapturedRecord> =
        CAPTURE.lines().filter_map(|line| CapturedRecord::from_line(line).expect("a record")).collect();
    let expected: Value = serde_json::from_str(EXPECTED).expect("JSON");
    for shuffle in [Shuffle::AsCaptured, Shuffle::Scrambled { seed: 1 }] {
        let in_memory = Harness::new(Options::default());
        in_memory.feed(&records, shuffle).await;
        let over_dynamodb = Harness::over(Arc::new(engine().await), Options::default());
        over_dynamodb.feed(&records, shuffle).await;
        let actual = ledger(over_dynamodb.engine()).await;
        assert_eq!(actual, ledger(in_memory.engine()).await, "{shuffle:?}");
        for part in ["orders", "held", "distributed_total", "system", "distributions"] {
            assert_eq!(actual[part], expected[part], "{shuffle:?}: {part}");
        }
    }
}

/// Returns the engine over a service that listens as long as the test runs, with empty tables.
async fn engine() -> DynamoEngine {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let database = Database::memory().expect("a database");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let sdk = sdk_of(address);
    let names = || TableNames::read(&Variables::new(|name| Some(format!("test-{name}")))).expect("names");
    let client = Client::new(&sdk);
    for table in Table::ALL {
        create(&client, names().name(table)).await;
    }
    DynamoEngine::new(&sdk, names(), Arc::new(SystemClock))
}

fn sdk_of(address: SocketAddr) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build()
}

/// Creates a table with the keys that every table of the template has.
async fn create(client: &Client, name: &str) {
    let attribute = |name| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().expect("a definition")
    };
    let key =
        |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key");
    client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .expect("a table");
}
