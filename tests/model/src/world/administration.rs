//! Calls that look at triggers and functions, or change them otherwise than by invoking.

use serde_json::{Value, json};

use super::World;
use crate::error::{ErrorKind, ServiceError};
use crate::lambda::{DEFAULT_ASYNC_AGE_MS, FunctionOptions};

/// How often an asynchronous invocation that failed is tried again at most.
const MAX_ASYNC_RETRIES: u64 = 2;

/// How much of the account's concurrency must stay for functions that reserve none.
const MIN_UNRESERVED: usize = 100;

/// What such a call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is a call of the service, documented there")]
pub enum Administration {
    GetEventSourceMapping,
    ListEventSourceMappings,
    DeleteEventSourceMapping,
    GetFunctionConcurrency,
    PutFunctionConcurrency,
    DeleteFunctionConcurrency,
    PutFunctionEventInvokeConfig,
    UpdateFunctionEventInvokeConfig,
    GetFunctionConfiguration,
    UpdateFunctionConfiguration,
}

impl World {
    pub(super) fn administer(&mut self, call: Administration, input: &Value) -> Result<Value, ServiceError> {
        match call {
            Administration::GetEventSourceMapping => self.describe_mapping(input),
            Administration::ListEventSourceMappings => Ok(self.list_mappings(input)),
            Administration::DeleteEventSourceMapping => self.remove_mapping(input),
            Administration::GetFunctionConcurrency => {
                let reserved = self.function_options(input)?.reserved_concurrency;
                Ok(reserved.map_or_else(
                    || json!({}),
                    |reserved| json!({ "ReservedConcurrentExecutions": reserved }),
                ))
            }
            Administration::PutFunctionConcurrency => {
                let reserved = number(input, "ReservedConcurrentExecutions")?;
                let reserved =
                    usize::try_from(reserved).map_err(|_| invalid("ReservedConcurrentExecutions"))?;
                let name = self.function_options(input)?.name.clone();
                if self.functions.reserved_by_others(&name) + reserved + MIN_UNRESERVED
                    > self.functions.concurrency
                {
                    return Err(ErrorKind::InvalidParameterValueException.because(format!(
                        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{MIN_UNRESERVED}]."
                    )));
                }
                self.function_options(input)?.reserved_concurrency = Some(reserved);
                Ok(json!({ "ReservedConcurrentExecutions": reserved }))
            }
            Administration::DeleteFunctionConcurrency => {
                self.function_options(input)?.reserved_concurrency = None;
                Ok(json!({}))
            }
            Administration::PutFunctionEventInvokeConfig => {
                configure_events(self.function_options(input)?, input, true)
            }
            Administration::UpdateFunctionEventInvokeConfig => {
                configure_events(self.function_options(input)?, input, false)
            }
            Administration::GetFunctionConfiguration => Ok(described(self.function_options(input)?)),
            Administration::UpdateFunctionConfiguration => {
                let options = self.function_options(input)?;
                if !input["Timeout"].is_null() {
                    let seconds = number(input, "Timeout")?;
                    if !(1..=900).contains(&seconds) {
                        return Err(invalid("Timeout"));
                    }
                    options.timeout_ms = seconds * 1_000;
                }
                Ok(described(options))
            }
        }
    }

    fn function_options(&mut self, input: &Value) -> Result<&mut FunctionOptions, ServiceError> {
        let name = input["FunctionName"].as_str().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or(name);
        let function = self.functions.get_mut(name).ok_or_else(|| function_not_found(name))?;
        Ok(&mut function.options)
    }
}

/// Says how asynchronous invocations are tried; what is not given is the default, or else stays.
fn configure_events(
    options: &mut FunctionOptions,
    input: &Value,
    replaces: bool,
) -> Result<Value, ServiceError> {
    let given = |name: &str, range: std::ops::RangeInclusive<u64>| match &input[name] {
        Value::Null => Ok(None),
        value => match value.as_u64().filter(|value| range.contains(value)) {
            None => Err(invalid(name)),
            given => Ok(given),
        },
    };
    let retries = given("MaximumRetryAttempts", 0..=MAX_ASYNC_RETRIES)?;
    let age_ms = given("MaximumEventAgeInSeconds", 60..=21_600)?.map(|seconds| seconds * 1_000);
    if replaces && retries.is_none() && age_ms.is_none() && input["DestinationConfig"].is_null() {
        return Err(ErrorKind::InvalidParameterValueException
            .because("You must specify at least one of error handling or destination setting."));
    }
    if let Some(retries) = retries.or(replaces.then_some(MAX_ASYNC_RETRIES)) {
        options.async_retries = u32::try_from(retries).expect("at most two");
    }
    if let Some(age_ms) = age_ms.or(replaces.then_some(DEFAULT_ASYNC_AGE_MS)) {
        options.async_max_age_ms = age_ms;
    }
    Ok(json!({
        "MaximumRetryAttempts": options.async_retries,
        "MaximumEventAgeInSeconds": options.async_max_age_ms / 1_000,
    }))
}

fn described(options: &FunctionOptions) -> Value {
    json!({
        "FunctionName": options.name,
        "FunctionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{}", options.name),
        "Timeout": options.timeout_ms / 1_000,
    })
}

fn number(input: &Value, name: &str) -> Result<u64, ServiceError> {
    input[name].as_u64().ok_or_else(|| invalid(name))
}

fn invalid(name: &str) -> ServiceError {
    ErrorKind::InvalidParameterValueException.because(format!("The value of {name} is not valid"))
}

pub(super) fn function_not_found(function: &str) -> ServiceError {
    ErrorKind::ResourceNotFoundException
        .because(format!("Function not found: arn:aws:lambda:us-east-1:000000000000:function:{function}"))
}
