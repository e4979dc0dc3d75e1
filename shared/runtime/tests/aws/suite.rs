//! The engine over DynamoDB, against an implementation of DynamoDB in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dynoxide::Database;
use futures::{StreamExt, stream};
use runtime::aws::DynamoEngine;
use store::{Condition, Engine, Item, Key, Table, Write, Written, engine_tests};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{engine_of, names, sdk_of};

/// A DynamoDB that listens in this process until it is dropped, with the ledger's tables.
struct Service {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().unwrap()));
        let client = Client::new(&sdk_of(address));
        for table in Table::ALL {
            create(&client, names().name(table)).await;
        }
        Self { address, server }
    }

    fn engine(&self) -> DynamoEngine {
        engine_of(self.address)
    }
}

async fn create(client: &Client, name: &str) {
    let attribute = |name| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
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
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_does_what_every_engine_does() {
    let service = Service::start().await;
    engine_tests::run(Arc::new(service.engine())).await;
}

#[tokio::test]
async fn a_table_that_is_missing_is_named_and_not_asked_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let engine = engine_of(listener.local_addr().unwrap());
    let server = tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().unwrap()));
    let refused = engine.get(Key::new(Table::Log, "LOG", "1")).await.unwrap_err();
    assert!(matches!(refused, store::StoreError::Refused { .. }), "{refused:?}");
    assert!(refused.to_string().contains("ResourceNotFoundException"), "{refused}");
    server.abort();
}

/// `cargo test -p runtime --features aws --test aws -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn measure_writes_in_batches_and_one_by_one() {
    const COUNT: usize = 500;
    let service = Service::start().await;
    let engine = service.engine();
    let writes = |sort: &'static str, revision: u64| {
        (0..COUNT).map(move |number| {
            let key = Key::new(Table::Ledger, format!("A{number}"), sort);
            let condition = match revision {
                1 => Condition::Absent,
                _ => Condition::Revision(revision - 1),
            };
            Write::put(Item::new(key, revision, vec![3; 1_000]), condition)
        })
    };
    for revision in 1..=5 {
        let started = Instant::now();
        let outcomes = engine.write_many(writes("batch", revision).collect()).await;
        assert!(outcomes.into_iter().all(|outcome| outcome == Ok(Written::Done)));
        println!("{COUNT} writes of 1 KB in batches: {:?}", started.elapsed());
        let started = Instant::now();
        let mut outcomes =
            stream::iter(writes("alone", revision)).map(|write| engine.write(write)).buffered(32);
        while let Some(outcome) = outcomes.next().await {
            assert_eq!(outcome, Ok(Written::Done));
        }
        println!("{COUNT} writes of 1 KB one by one, 32 at a time: {:?}", started.elapsed());
    }
}
