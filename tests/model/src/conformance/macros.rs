//! Expands what scripts abbreviate: numbers of repetitions, long texts, lists and parts of earlier answers.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::Value;

/// The answers of earlier steps by the steps' ids.
pub(super) type Answers = BTreeMap<String, Value>;

/// Expands a value; `repetition` is the number of the call within its step.
pub(super) fn expand(json: &Value, repetition: u64, answers: &Answers) -> anyhow::Result<Value> {
    Expansion { answers, counters: vec![("i", repetition)] }.value(json)
}

struct Expansion<'script> {
    answers: &'script Answers,
    /// The counters in scope; the innermost of a name comes last.
    counters: Vec<(&'static str, u64)>,
}

impl Expansion<'_> {
    fn value(&mut self, json: &Value) -> anyhow::Result<Value> {
        Ok(match json {
            Value::String(text) => Value::String(self.text(text)?),
            Value::Array(elements) => Value::Array(self.elements(elements)?),
            Value::Object(members) => {
                if let Some(length) = members.get("$fill") {
                    let length = length.as_u64().context("$fill has no length")?;
                    return Ok(Value::String("x".repeat(usize::try_from(length)?)));
                }
                if let Some(step) = members.get("$from") {
                    let step = step.as_str().context("$from names no step")?;
                    let path = members.get("path").and_then(Value::as_str).unwrap_or_default();
                    return self.part_of_answer(step, path);
                }
                let mut expanded = serde_json::Map::new();
                for (name, member) in members {
                    expanded.insert(self.text(name)?, self.value(member)?);
                }
                Value::Object(expanded)
            }
            other => other.clone(),
        })
    }

    fn elements(&mut self, elements: &[Value]) -> anyhow::Result<Vec<Value>> {
        let mut expanded = Vec::new();
        for element in elements {
            let Some(list) = element.get("$list") else {
                expanded.push(self.value(element)?);
                continue;
            };
            let count = list["count"].as_u64().context("$list has no count")?;
            for number in 0..count {
                self.counters.push(("j", number));
                expanded.push(self.value(&list["of"])?);
                self.counters.pop();
            }
        }
        Ok(expanded)
    }

    /// Replaces `${i}`, `${j}`, `${i%7}` and the like.
    fn text(&self, text: &str) -> anyhow::Result<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(begin) = rest.find("${") {
            let end = begin + rest[begin..].find('}').context("a macro has no end")?;
            expanded.push_str(&rest[..begin]);
            match self.counter(&rest[begin + 2..end])? {
                Some(number) => expanded.push_str(&number.to_string()),
                None => expanded.push_str(&rest[begin..=end]),
            }
            rest = &rest[end + 1..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn counter(&self, expression: &str) -> anyhow::Result<Option<u64>> {
        let (name, operation) = match expression.find(['%', '+', '*']) {
            Some(at) => (expression[..at].trim(), Some((&expression[at..=at], expression[at + 1..].trim()))),
            None => (expression.trim(), None),
        };
        let Some((_, value)) = self.counters.iter().rev().find(|(counter, _)| *counter == name) else {
            return Ok(None);
        };
        let Some((operator, operand)) = operation else { return Ok(Some(*value)) };
        let operand: u64 = operand.parse().with_context(|| format!("no number in {expression}"))?;
        Ok(Some(match operator {
            "%" if operand > 0 => value % operand,
            "+" => value + operand,
            "*" => value * operand,
            _ => bail!("{expression} cannot be computed"),
        }))
    }

    fn part_of_answer(&self, step: &str, path: &str) -> anyhow::Result<Value> {
        let answer = self.answers.get(step).with_context(|| format!("step {step} has no answer yet"))?;
        let mut part = answer;
        for name in path.split('.').filter(|name| !name.is_empty()) {
            let inner = match name.parse::<usize>() {
                Ok(position) if part.is_array() => part.get(position),
                _ => part.get(name),
            };
            part = inner.with_context(|| format!("the answer of step {step} has no {path}"))?;
        }
        Ok(part.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Answers, expand};

    #[test]
    fn counters_lists_fills_and_answers_are_expanded() {
        let answers = Answers::from([("a".to_owned(), json!({"Messages": [{"Handle": "h"}]}))]);
        let given = json!({
            "text": "m${i}-${i%7}",
            "list": [{"$list": {"count": 2, "of": {"k": "K${i}-${j}", "inner": [{"$list": {"count": 1, "of": "${j}"}}]}}}],
            "long": {"$fill": 3},
            "handle": {"$from": "a", "path": "Messages.0.Handle"},
        });
        let expected = json!({
            "text": "m9-2",
            "list": [{"k": "K9-0", "inner": ["0"]}, {"k": "K9-1", "inner": ["0"]}],
            "long": "xxx",
            "handle": "h",
        });
        assert_eq!(expand(&given, 9, &answers).expect("it expands"), expected);
    }

    #[test]
    fn a_part_of_an_answer_that_is_missing_is_an_error() {
        let given = json!({"$from": "a", "path": "b"});
        assert!(expand(&given, 0, &Answers::new()).is_err());
        assert!(expand(&given, 0, &Answers::from([("a".to_owned(), Value::Null)])).is_err());
    }
}
