//! The services the stack talks to: embedded ones, or whatever the SDK's usual variables point to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
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

impl Storage {
    /// Whether an earlier start left tables there.
    #[must_use]
    pub fn exists(&self) -> bool {
        match self {
            Self::Ephemeral => false,
            Self::Directory(directory) => directory.join(DATABASE_FILE).exists(),
        }
    }

    /// Fails for a directory that no earlier start left tables in, which is misspelt rather than meant.
    pub fn check_that_tables_exist(&self) -> Result<()> {
        match self {
            Self::Directory(directory) if !self.exists() => {
                bail!("there are no tables in the directory given with --data, {}", directory.display())
            }
            _ => Ok(()),
        }
    }
}

/// Clients of the services.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The tables' streams.
    pub streams: aws_sdk_dynamodbstreams::Client,
    /// The queues.
    pub sqs: aws_sdk_sqs::Client,
}

const DATABASE_FILE: &str = "tables.sqlite";
const REGION: &str = "us-east-1";

/// Starts the embedded services, unless `AWS_ENDPOINT_URL_DYNAMODB` or `AWS_ENDPOINT_URL_SQS` say
/// that others are to be used, and answers clients of them.
pub async fn start(storage: &Storage) -> Result<Clients> {
    let tables = match std::env::var("AWS_ENDPOINT_URL_DYNAMODB") {
        Ok(endpoint) => {
            let config = aws_config::load_from_env().await;
            // Where tables are emulated, so are their streams.
            match std::env::var_os("AWS_ENDPOINT_URL_DYNAMODB_STREAMS") {
                Some(_) => config,
                None => config.into_builder().endpoint_url(endpoint).build(),
            }
        }
        Err(_) => embedded(start_tables(storage).await?),
    };
    let dynamodb = aws_sdk_dynamodb::Client::new(&tables);
    let streams = aws_sdk_dynamodbstreams::Client::new(&tables);
    let sqs = match std::env::var_os("AWS_ENDPOINT_URL_SQS") {
        Some(_) => aws_sdk_sqs::Client::new(&aws_config::load_from_env().await),
        None => aws_sdk_sqs::Client::new(&embedded(start_queues().await?)),
    };
    Ok(Clients { dynamodb, streams, sqs })
}

async fn start_tables(storage: &Storage) -> Result<SocketAddr> {
    let path = match storage {
        Storage::Ephemeral => memory_path(),
        Storage::Directory(directory) => {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create the data directory {}", directory.display()))?;
            database_path(directory)?
        }
    };
    let database = Database::new(&path)
        .map_err(|error| anyhow!("the embedded tables at {path} cannot be opened: {error}"))?;
    index_stream_records(&path).with_context(|| format!("the embedded tables at {path}"))?;
    let (listener, address) = listen().await?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(address)
}

/// Names a database in memory that further connections of this process can open, too.
fn memory_path() -> String {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    format!("file:contribution-{number}?mode=memory&cache=shared")
}

/// Each write to a table with a stream looks for the highest sequence number among the table's stream
/// records, and there is no index that answers it. This one does.
fn index_stream_records(path: &str) -> Result<()> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS stream_records_by_sequence_number
         ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )?;
    Ok(())
}

fn database_path(directory: &Path) -> Result<String> {
    let path = directory.join(DATABASE_FILE);
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
#[must_use]
pub fn embedded(address: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(credentials))
        .build()
}
