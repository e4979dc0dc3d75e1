//! Functions, their environments and the limits of their concurrency.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Millis;

const ACCOUNT_CONCURRENCY: usize = 1_000;
/// How long an asynchronous invocation is tried where the function does not say.
pub const DEFAULT_ASYNC_AGE_MS: Millis = 6 * 60 * 60 * 1_000;

/// What a function is made with.
#[derive(Clone, Debug)]
pub struct FunctionOptions {
    /// Its name.
    pub name: String,
    /// How long a handler may run.
    pub timeout_ms: Millis,
    /// How many handlers may run at once; as many as the account's limit lets without.
    pub reserved_concurrency: Option<usize>,
    /// How often an asynchronous invocation that failed is tried again.
    pub async_retries: u32,
    /// How long an asynchronous invocation is tried before it is given up.
    pub async_max_age_ms: Millis,
    /// By how much the clocks of its environments are wrong, in turn.
    pub clock_skews_ms: Vec<i64>,
}

/// A function.
#[derive(Debug)]
pub struct Function {
    /// What it was made with.
    pub options: FunctionOptions,
    running: usize,
    environments: usize,
    idle: BTreeSet<usize>,
}

/// The environment in which an invocation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Environment {
    /// Its number within its function, from 0.
    pub number: usize,
    /// Whether it was made for this invocation.
    pub cold: bool,
    /// By how much its clock is wrong.
    pub skew_ms: i64,
}

/// All functions of the account.
#[derive(Debug)]
pub struct Functions {
    functions: BTreeMap<String, Function>,
    /// How many handlers may run at once.
    pub concurrency: usize,
}

impl Default for Functions {
    fn default() -> Self {
        Self { functions: BTreeMap::new(), concurrency: ACCOUNT_CONCURRENCY }
    }
}

impl Functions {
    /// Makes a function.
    pub fn create(&mut self, options: FunctionOptions) {
        let function = Function { options, running: 0, environments: 0, idle: BTreeSet::new() };
        self.functions.insert(function.options.name.clone(), function);
    }

    /// Returns a function.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// Returns a function that is to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Function> {
        self.functions.get_mut(name)
    }

    /// Returns how much all functions but one reserve together.
    #[must_use]
    pub fn reserved_by_others(&self, name: &str) -> usize {
        let others = self.functions.values().filter(|function| function.options.name != name);
        others.filter_map(|function| function.options.reserved_concurrency).sum()
    }

    /// Takes an environment for an invocation; none where the function's or the account's concurrency is used up.
    pub fn take_environment(&mut self, name: &str) -> Option<Environment> {
        let in_use: usize = self.functions.values().map(|function| function.running).sum();
        let function = self.functions.get_mut(name)?;
        let reserved = function.options.reserved_concurrency.unwrap_or(usize::MAX);
        if in_use >= self.concurrency || function.running >= reserved {
            return None;
        }
        function.running += 1;
        let (number, cold) = if let Some(number) = function.idle.pop_first() {
            (number, false)
        } else {
            function.environments += 1;
            (function.environments - 1, true)
        };
        let skews = &function.options.clock_skews_ms;
        let skew_ms = if skews.is_empty() { 0 } else { skews[number % skews.len()] };
        Some(Environment { number, cold, skew_ms })
    }

    /// Gives an environment back; it is idle from now on, or gone.
    pub fn return_environment(&mut self, name: &str, environment: Environment, survives: bool) {
        let function = self.functions.get_mut(name).expect("a function is never removed");
        function.running -= 1;
        if survives {
            function.idle.insert(environment.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FunctionOptions, Functions};

    fn functions(reserved_concurrency: Option<usize>) -> Functions {
        let mut functions = Functions::default();
        functions.create(FunctionOptions {
            name: "f".to_owned(),
            timeout_ms: 1_000,
            reserved_concurrency,
            async_retries: 2,
            async_max_age_ms: super::DEFAULT_ASYNC_AGE_MS,
            clock_skews_ms: vec![-5, 7],
        });
        functions
    }

    #[test]
    fn an_environment_is_used_again_unless_it_died() {
        let mut functions = functions(None);
        let first = functions.take_environment("f").expect("an environment");
        assert!(first.cold && first.skew_ms == -5);
        functions.return_environment("f", first, true);
        let again = functions.take_environment("f").expect("an environment");
        assert!(!again.cold && again.number == 0 && again.skew_ms == -5);
        functions.return_environment("f", again, false);
        let second = functions.take_environment("f").expect("an environment");
        assert!(second.cold && second.number == 1 && second.skew_ms == 7);
    }

    #[test]
    fn concurrency_ends_at_what_is_reserved_and_at_the_accounts_limit() {
        let mut reserved = functions(Some(1));
        assert!(reserved.take_environment("f").is_some());
        assert!(reserved.take_environment("f").is_none());
        let mut account = functions(None);
        account.concurrency = 2;
        assert!(account.take_environment("f").is_some() && account.take_environment("f").is_some());
        assert!(account.take_environment("f").is_none());
    }
}
