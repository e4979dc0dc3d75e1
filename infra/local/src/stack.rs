//! Starts the stack: tables, queues, functions, and what invokes them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use runtime::{Settings, SettingsError, Variables};
use store::Engine;
use tokio::task::JoinSet;

use crate::functions;
use crate::invocation::{RunningFunction, Shared};
use crate::language::{say, tell, translated};
use crate::template::{self, FunctionSpec, Route, Template, Trigger};
use crate::token::{AUDIENCE, DevelopmentKey, ISSUER};
use crate::triggers::{self, Closing, Schedules};

/// How often a stack that works is asked whether its disk still takes writes.
const LOOK_AT_DISK: Duration = Duration::from_millis(200);
/// How long a stack may write nothing before it says what it waits for.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// How often the scheduler is called before work that never ends is taken for a fault.
const ROUNDS_MAX: usize = 1_000;

/// A ledger in memory shows its proofs to this machine only.
const SECRET_IN_MEMORY: &str = "the secret of a ledger in memory, which is gone with it";

/// How to run the stack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory that keeps the tables; `None` keeps them in memory.
    pub data: Option<PathBuf>,
    /// Parameters of the template in place of their defaults.
    pub parameters: BTreeMap<String, String>,
}

/// The running stack. It stops when it is dropped.
pub struct Stack {
    /// What everything in it shares.
    pub shared: Arc<Shared>,
    /// The settings of every function.
    pub settings: Settings,
    /// The template's routes, each with its function.
    pub routes: Vec<(Route, Arc<RunningFunction>)>,
    functions: BTreeMap<String, Arc<RunningFunction>>,
    kafka: Option<(Arc<RunningFunction>, usize)>,
    schedules: Arc<Schedules>,
    triggers: JoinSet<()>,
}

impl Stack {
    /// Starts everything that the template declares.
    pub fn start(options: &Options) -> Result<Self> {
        let parameters = [
            ("TokenIssuer", ISSUER),
            ("TokenAudience", AUDIENCE),
            ("Stage", "local"),
            ("WebhookReach", "this-machine"),
        ];
        let mut all: BTreeMap<String, String> =
            parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        all.extend(options.parameters.clone());
        let template = Template::load(&all)?;
        let shared = Arc::new(Shared::open(options.data.as_deref(), &template)?);
        let specs = template.functions()?;
        let secret = match &options.data {
            None => SECRET_IN_MEMORY.to_owned(),
            Some(directory) => DevelopmentKey::kept_in(Some(directory))?.derived("proofs"),
        };
        let settings = settings(specs.first().context("the template has no functions")?, &secret)?;
        let mut functions = Vec::new();
        for spec in specs {
            if let Some(build) = functions::builder(&spec.crate_name) {
                let function = build(&self::settings(&spec, &secret)?)
                    .with_context(|| format!("{} cannot start", spec.crate_name))?;
                let timeout = TimeDelta::seconds(i64::from(spec.timeout_s));
                functions.push((spec, Arc::new(RunningFunction::new(function, timeout))));
            }
        }
        let schedules = Arc::new(Schedules::of(&template, &functions)?);
        let mut stack = Self {
            shared,
            settings,
            routes: Vec::new(),
            functions: BTreeMap::new(),
            kafka: None,
            schedules,
            triggers: JoinSet::new(),
        };
        for (spec, function) in functions {
            stack.start_triggers(&spec, &function)?;
            stack.functions.insert(spec.crate_name, function);
        }
        Ok(stack)
    }

    fn start_triggers(&mut self, spec: &FunctionSpec, function: &Arc<RunningFunction>) -> Result<()> {
        for trigger in spec.triggers.clone() {
            let (function, shared) = (Arc::clone(function), Arc::clone(&self.shared));
            match trigger {
                Trigger::Kafka { batch_size } => self.kafka = Some((function, batch_size)),
                Trigger::Queue { queue, batch_size } => {
                    self.triggers.spawn(triggers::deliver_queue(queue, batch_size, function, shared));
                }
                Trigger::Stream { table, batch_size } => {
                    let reader = shared.engine.reader(template::table_named(&table)?);
                    self.triggers.spawn(triggers::deliver_stream(reader, batch_size, function, shared));
                }
                Trigger::Http(route) => self.routes.push((route, function)),
                Trigger::Schedule { .. } | Trigger::TimeOfDay => {}
            }
        }
        Ok(())
    }

    /// Returns the function that takes records of the change topics, and how many at once.
    pub fn kafka(&self) -> Result<(&RunningFunction, usize)> {
        let (function, batch_size) = self.kafka.as_ref().context("no function has a Kafka trigger")?;
        Ok((function, *batch_size))
    }

    /// Returns the function of this crate.
    pub fn function(&self, crate_name: &str) -> Result<&Arc<RunningFunction>> {
        self.functions.get(crate_name).with_context(|| format!("{crate_name} is not part of this build"))
    }

    /// Returns the tables.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.shared.engine
    }

    /// Has the scheduler call now, and each minute from now on.
    pub fn start_schedules(&mut self, closing: Closing) {
        self.triggers.spawn(Arc::clone(&self.schedules).run(Arc::clone(&self.shared), closing));
    }

    /// Has the scheduler call once, out of its turn: a command asked for something and sent no message.
    pub async fn call_schedules(&self) {
        self.schedules.call(&self.shared, Closing::WhenAskedFor).await;
    }

    /// Waits until nothing is being worked on and nothing waits for more than a delay.
    pub async fn idle(&self) -> Result<()> {
        let mut progress = (Instant::now(), self.shared.engine.writes());
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            self.shared.check_disk()?;
            if self.shared.is_idle() {
                return Ok(());
            }
            // A function that tries to write to a full disk for seconds must not be waited for.
            let _ = tokio::time::timeout(LOOK_AT_DISK, changed).await;
            let writes = self.shared.engine.writes();
            if writes != progress.1 {
                progress = (Instant::now(), writes);
            } else if progress.0.elapsed() > SILENT_FOR {
                progress.0 = Instant::now();
                let what = self.shared.waits_for();
                tell(say(format!("still waiting for {what}"), format!("仍在等待 {what}")));
            }
        }
    }

    /// Works until there is nothing left to do: delays are skipped, and the scheduler calls until a round of calls
    /// has written nothing. No close is asked for.
    pub async fn settle(&self) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            self.idle().await?;
            let before = self.shared.engine.writes();
            self.shared.queues.skip_delays();
            self.idle().await?;
            self.schedules.call(&self.shared, Closing::WhenAskedFor).await;
            self.idle().await?;
            if self.shared.engine.writes() == before && !self.shared.queues.skip_delays() {
                return Ok(());
            }
        }
        bail!("the functions still write after {ROUNDS_MAX} rounds of calls; this is a fault of the program")
    }
}

/// Returns the settings of a function. What its variables take from the secrets manager is `secret` here.
fn settings(spec: &FunctionSpec, secret: &str) -> Result<Settings> {
    let mut variables = spec.variables.clone();
    for value in variables.values_mut().filter(|value| value.starts_with("{{resolve:secretsmanager:")) {
        secret.clone_into(value);
    }
    Settings::read(&Variables::new(move |name| variables.get(name).cloned())).map_err(as_it_was_set)
}

/// Returns the error that what the command was given is refused.
fn refused(name: &str, why: &dyn Display) -> anyhow::Error {
    anyhow::anyhow!(say(
        format!("{name} is refused: {why}"),
        format!("{name} 被拒绝：{}", translated(&why.to_string()))
    ))
}

/// Returns the error with the name of what the command was given, in the place of the variable that comes of it.
fn as_it_was_set(error: SettingsError) -> anyhow::Error {
    match error {
        SettingsError::Invalid { variable, value, expected } => {
            let name = name_of(variable);
            anyhow::anyhow!(say(
                format!("{name} is {value:?}: it must be {expected}"),
                format!("{name} 的值 {value:?} 不合要求，应为：{}", translated(&expected))
            ))
        }
        SettingsError::Policy { message } => refused(&name_of("CONTRIBUTION_POLICY"), &message),
        SettingsError::Profile(error) => refused(&name_of("CDC_PROFILE"), &error),
        SettingsError::Missing { .. } => error.into(),
    }
}

/// Returns the option or the parameter of the template that a variable comes of.
fn name_of(variable: &str) -> String {
    let option = match variable {
        "SETTLE_SECONDS" => "--settle",
        "BRAKE_ADOPTIONS" => "--brake",
        "GUARD_FACTOR" => "--guard",
        "ORDERS_PARTITIONS" => "--partitions",
        "CDC_PROFILE" => "--profile",
        "CONTRIBUTION_POLICY" => "--policy",
        _ => "--parameter",
    };
    let words = variable.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{first}{}", rest.to_lowercase())
    });
    let parameter = words.collect::<String>();
    if variable == "BUSINESS_TZ" {
        return "--parameter BusinessTimeZone".to_owned();
    }
    if option == "--parameter" {
        format!("--parameter {parameter}")
    } else {
        say(format!("{option} (the parameter {parameter})"), format!("{option}（参数 {parameter}）"))
    }
}
