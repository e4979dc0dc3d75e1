//! The API's contract, and checking answers against it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Value, json};

/// An `OpenAPI` document, and which of its responses were seen.
#[derive(Debug)]
pub(crate) struct Contract {
    document: Value,
    seen: Mutex<BTreeSet<(String, u16)>>,
}

/// An answer as it came over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers, by lower-case name.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// A header, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a body of JSON")
    }
}

impl Contract {
    /// The contract in this document.
    pub(crate) fn new(document: &str) -> Self {
        let document = serde_json::from_str(document).expect("an OpenAPI document is JSON");
        Self { document, seen: Mutex::default() }
    }

    /// Every path of the contract.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.document["paths"].as_object().expect("paths").keys().cloned().collect()
    }

    /// Asserts that the contract has this answer to a `GET` of this path, and has it like this.
    pub(crate) fn check(&self, path: &str, answer: &Answer) {
        let path = path.split('?').next().expect("a path");
        let paths = self.paths();
        let pattern = paths.iter().find(|pattern| is_of(pattern, path));
        let pattern = pattern.unwrap_or_else(|| panic!("{path} is not in the contract"));
        let responses = &self.document["paths"][pattern]["get"]["responses"];
        let response = self.resolved(&responses[answer.status.to_string()]);
        assert!(response.is_object(), "{pattern}: {} is not in the contract", answer.status);
        self.seen.lock().expect("nobody panicked").insert((pattern.clone(), answer.status));
        let Some(content) = response["content"].as_object() else {
            assert_eq!(answer.body, "", "{pattern}: {} has no body", answer.status);
            return;
        };
        let content_type = answer.header("content-type").expect("a body has a type");
        let media_type = content_type.split(';').next().expect("a media type");
        let schema = content.get(media_type);
        let schema =
            schema.unwrap_or_else(|| panic!("{pattern}: {media_type} is not in the contract"))["schema"]
                .clone();
        let instance = match media_type {
            "application/json" | "application/problem+json" => answer.json(),
            _ => json!(answer.body),
        };
        let schema = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
        let errors: Vec<String> = validator
            .expect("a schema")
            .iter_errors(&instance)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{pattern} {}: {errors:#?}", answer.status);
    }

    /// The responses of the contract that no answer was seen of.
    pub(crate) fn unseen(&self) -> BTreeSet<(String, u16)> {
        let mut all = BTreeSet::new();
        for path in self.paths() {
            for status in
                self.document["paths"][&path]["get"]["responses"].as_object().expect("responses").keys()
            {
                all.insert((path.clone(), status.parse().expect("a status")));
            }
        }
        &all - &*self.seen.lock().expect("nobody panicked")
    }

    fn resolved(&self, value: &Value) -> Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                self.document.pointer(&reference[1..]).expect("a reference leads somewhere").clone()
            }
            None => value.clone(),
        }
    }
}

/// Whether a path is one of a pattern's. Of patterns that differ in a parameter only there is one.
fn is_of(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(expected, segment)| expected.starts_with('{') || expected == segment)
}
