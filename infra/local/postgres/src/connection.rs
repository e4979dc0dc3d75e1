//! One read-only connection to a PostgreSQL server. Its password may come from the environment variable
//! `PGPASSWORD`.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use reconcile::SourceError;
use reconcile::source::Load;
use tokio_postgres::config::Host;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

/// How to use a server.
#[derive(Debug, Clone, Copy)]
pub struct ConnectOptions {
    /// After what time a statement is stopped.
    pub statement_timeout: Duration,
    /// Whether to rest after each statement for as long as it took.
    pub rests: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { statement_timeout: Duration::from_secs(5), rests: true }
    }
}

/// A connection to a server, which only reads.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    options: ConnectOptions,
    load: Mutex<Load>,
}

/// No connection to a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be read.
    #[error(
        "{message}. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE, or leave the password to the variable PGPASSWORD"
    )]
    Address {
        /// What is wrong with it.
        message: String,
    },
    /// The connection could not be made.
    #[error("cannot connect to PostgreSQL at {server}: {message}")]
    Refused {
        /// Its host and port.
        server: String,
        /// What it answered, or why there was no answer.
        message: String,
    },
}

impl Connection {
    /// Connects to the server at `url`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says what to do. It does not repeat the address, which may have a password in it.
    pub async fn open(url: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let mut config: Config =
            url.parse().map_err(|error| ConnectError::Address { message: message(&error) })?;
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        config.application_name("contribution");
        config.connect_timeout(Duration::from_secs(10));
        let server = config.get_hosts().iter().zip(config.get_ports()).map(|(host, port)| match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(directory) => format!("{}:{port}", directory.display()),
        });
        let server = server.collect::<Vec<_>>().join(", ");
        let refused = |error: &tokio_postgres::Error| {
            let mut message = message(error);
            if message.contains("TLS") {
                message.push_str("; this client has no TLS: go through a tunnel, with sslmode=disable");
            }
            ConnectError::Refused { server: server.clone(), message }
        };
        let (client, connection) = config.connect(NoTls).await.map_err(|error| refused(&error))?;
        tokio::spawn(async move {
            // An end of the connection shows in the next statement.
            let _ = connection.await;
        });
        // Where a policy hides rows from the user, the server is to refuse: hidden rows would look deleted.
        let set = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = 1000; \
             SET idle_in_transaction_session_timeout = 60000; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; \
             SET max_parallel_workers_per_gather = 0; SET row_security = off",
            options.statement_timeout.as_millis()
        );
        client.batch_execute(&set).await.map_err(|error| refused(&error))?;
        Ok(Self { client, options, load: Mutex::new(Load::default()) })
    }

    /// Returns the rows of a statement, all of whose columns are text. `doing` completes "the source refused".
    pub(crate) async fn query(
        &self,
        doing: &str,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Vec<Option<String>>>, SourceError> {
        let started = Instant::now();
        let answer = self.client.query(statement, parameters).await;
        let took = started.elapsed();
        let rows = answer.map_err(|error| self.failed(doing, &error))?;
        let rows: Vec<Vec<Option<String>>> =
            rows.iter().map(texts).collect::<Result<_, _>>().map_err(|error: tokio_postgres::Error| {
                SourceError::Refused { doing: doing.to_owned(), message: message(&error) }
            })?;
        self.count(took, &rows);
        if self.options.rests {
            tokio::time::sleep(took).await;
        }
        Ok(rows)
    }

    /// Returns what the server was asked so far.
    pub(crate) fn load(&self) -> Load {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, took: Duration, rows: &[Vec<Option<String>>]) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bytes: usize = rows.iter().flatten().flatten().map(String::len).sum();
        let mut load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        load.statements += 1;
        load.busy_ms += took_ms;
        load.longest_ms = load.longest_ms.max(took_ms);
        load.bytes += bytes as u64;
    }

    fn failed(&self, doing: &str, error: &tokio_postgres::Error) -> SourceError {
        use tokio_postgres::error::SqlState;

        let doing = doing.to_owned();
        match error.code() {
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => SourceError::Locked { doing },
            Some(code) if *code == SqlState::QUERY_CANCELED => {
                let limit_ms = self.options.statement_timeout.as_millis();
                SourceError::TooSlow { doing, limit_ms: u64::try_from(limit_ms).unwrap_or(u64::MAX) }
            }
            Some(_) => SourceError::Refused { doing, message: message(error) },
            None => SourceError::Disconnected { message: message(error) },
        }
    }
}

fn texts(row: &Row) -> Result<Vec<Option<String>>, tokio_postgres::Error> {
    (0..row.len()).map(|index| row.try_get(index)).collect()
}

/// Returns an error with what the server said, which the client's own text leaves out.
fn message(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
