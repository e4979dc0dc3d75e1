//! The services the stack talks to: embedded ones, or whatever the SDK's usual variables point to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, Region};
use dynoxide::Database;
use local_queues::QueueService;
use tokio::net::TcpListener;

/// Where the embedded services keep their data.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In memory: gone when the process ends.
    Ephemeral,
    /// In this directory: survives a killed process.
    Directory(PathBuf),
}

/// Clients of the services.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The queues.
    pub sqs: aws_sdk_sqs::Client,
}

const REGION: &str = "us-east-1";

/// Starts the embedded services, unless `AWS_ENDPOINT_URL_DYNAMODB` or `AWS_ENDPOINT_URL_SQS` say
/// that others are to be used, and answers clients of them.
pub async fn start(storage: &Storage) -> Result<Clients> {
    let dynamodb = match std::env::var_os("AWS_ENDPOINT_URL_DYNAMODB") {
        Some(_) => aws_sdk_dynamodb::Client::new(&aws_config::load_from_env().await),
        None => aws_sdk_dynamodb::Client::new(&embedded(start_tables(storage).await?)),
    };
    let sqs = match std::env::var_os("AWS_ENDPOINT_URL_SQS") {
        Some(_) => aws_sdk_sqs::Client::new(&aws_config::load_from_env().await),
        None => aws_sdk_sqs::Client::new(&embedded(start_queues().await?)),
    };
    Ok(Clients { dynamodb, sqs })
}

async fn start_tables(storage: &Storage) -> Result<SocketAddr> {
    let database = match storage {
        Storage::Ephemeral => Database::memory(),
        Storage::Directory(directory) => {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create the data directory {}", directory.display()))?;
            Database::new(&database_path(directory)?)
        }
    };
    let database = database.map_err(|error| anyhow!("the embedded tables cannot be opened: {error}"))?;
    let (listener, address) = listen().await?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(address)
}

fn database_path(directory: &Path) -> Result<String> {
    let path = directory.join("tables.sqlite");
    path.to_str().map(ToOwned::to_owned).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The queues are in memory on purpose: a message is never the only trace of work.
async fn start_queues() -> Result<SocketAddr> {
    let (listener, address) = listen().await?;
    tokio::spawn(local_queues::serve(listener, QueueService::new(address).with_region(REGION)));
    Ok(address)
}

async fn listen() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no local port is free")?;
    let address = listener.local_addr().context("a listener has an address")?;
    Ok((listener, address))
}

/// How to reach an embedded service: any credentials will do.
fn embedded(address: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(credentials))
        .build()
}
