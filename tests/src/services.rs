//! Embedded tables and queues as the template declares them, for other processes to use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, anyhow};
use contribution::calls::Calls;
use contribution::endpoints::{self, Clients};
use contribution::functions::environment;
use contribution::resources::{self, Created};
use contribution::template::{Resources as _, Template};
use dynoxide::Database;
use ledger::environment::Environment;
use local_queues::QueueService;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Services that listen on this machine until they are dropped.
pub struct Services {
    /// Clients of them.
    pub clients: Clients,
    template: Template,
    created: Created,
    addresses: [SocketAddr; 2],
    servers: [JoinHandle<()>; 2],
}

impl Drop for Services {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

impl Services {
    /// Starts them, empty, with these template parameters in place of their defaults.
    pub async fn start(parameters: &[(&str, String)]) -> Result<Self> {
        let database = Database::memory().map_err(|error| anyhow!("no embedded store: {error}"))?;
        let tables = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let queues = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addresses = [tables.local_addr()?, queues.local_addr()?];
        let servers = [
            tokio::spawn(dynoxide::server::serve_on(tables, database)),
            tokio::spawn(local_queues::serve(queues, QueueService::new(addresses[1]))),
        ];
        let clients = clients(addresses);
        let template = Template::load(parameters)?;
        let created = resources::create(&template, &clients).await?;
        Ok(Self { clients, template, created, addresses, servers })
    }

    /// The environment of a function's process, by the function's name in the template.
    pub fn variables(&self, function: &str) -> Result<BTreeMap<String, String>> {
        let mut variables = self.template.variables(function, &self.created)?;
        let [tables, queues] = self.addresses;
        for (name, value) in [
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{tables}")),
            ("AWS_ENDPOINT_URL_SQS", format!("http://{queues}")),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "embedded".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "embedded".to_owned()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        Ok(variables)
    }

    /// What a function is given to work with, in this process, with its calls noted.
    pub fn environment(&self, function: &str, calls: &Calls) -> Result<Environment> {
        environment(&self.template, &calls.noting(&self.clients, function), &self.created, function)
    }

    /// Every item of each table in text, by the table's name in the template.
    pub async fn items(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut items = BTreeMap::new();
        for table in self.template.tables() {
            let name = self.created.reference(&table.logical_name).context("every table was created")?;
            let mut pages = self.clients.dynamodb.scan().table_name(name).into_paginator().items().send();
            let mut found = BTreeSet::new();
            while let Some(item) = pages.try_next().await? {
                // As a value first, because members of maps come in any order.
                let item = serde_json::to_value(serde_dynamo::Item::from(item))?;
                found.insert(item.to_string());
            }
            items.insert(table.logical_name, found);
        }
        Ok(items)
    }

    /// How many messages each queue has, by the queue's name in the template.
    pub async fn messages(&self) -> Result<BTreeMap<String, usize>> {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let names = [Name::ApproximateNumberOfMessages, Name::ApproximateNumberOfMessagesDelayed];
        let mut messages = BTreeMap::new();
        for (name, url) in self.created.queues() {
            let request = self.clients.sqs.get_queue_attributes().queue_url(url);
            let output = request.set_attribute_names(Some(names.to_vec())).send().await?;
            let counts = output.attributes.unwrap_or_default();
            let count = counts.values().map(|count| count.parse::<usize>()).sum::<Result<_, _>>()?;
            messages.insert(name.to_owned(), count);
        }
        Ok(messages)
    }
}

fn clients([tables, queues]: [SocketAddr; 2]) -> Clients {
    let (tables, queues) = (endpoints::embedded(tables), endpoints::embedded(queues));
    Clients {
        dynamodb: aws_sdk_dynamodb::Client::new(&tables),
        sqs: aws_sdk_sqs::Client::new(&queues),
        streams: aws_sdk_dynamodbstreams::Client::new(&tables),
    }
}
