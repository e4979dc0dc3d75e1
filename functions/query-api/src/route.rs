//! What a route is, and which one a request means.

use std::fmt;

use percent_encoding::percent_decode_str;
use store::BoxFuture;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::{PathValues, Request};

/// A method and a path of the API.
pub(crate) struct Route {
    /// The method.
    pub(crate) method: Method,
    /// The path as the contract writes it: `/v1/accounts/{account}`.
    pub(crate) path: &'static str,
    /// Who may use it.
    pub(crate) access: Access,
    /// The query parameters it takes, besides `at_least`.
    pub(crate) parameters: &'static [&'static str],
    /// Answers a request.
    pub(crate) answer: for<'a> fn(&'a Request<'a>) -> BoxFuture<'a, Result<Answer, Problem>>,
}

/// A method that some route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Reads.
    Get,
    /// Computes something, or asks for something to be done.
    Post,
}

impl Method {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method.name(), self.path)
    }
}

/// Returns the route that a request means, with the values of its path's parameters.
///
/// Where several paths match, the first one counts.
pub(crate) fn find(
    routes: &'static [Route],
    method: &str,
    path: &str,
) -> Result<(&'static Route, PathValues), Problem> {
    let mut allowed = None;
    for route in routes {
        let Some(values) = values(route.path, path) else { continue };
        if route.method.name() == method {
            return Ok((route, values));
        }
        allowed.get_or_insert(route.method.name());
    }
    Err(allowed.map_or(Problem::NoSuchPath, |allowed| Problem::MethodNotAllowed { allowed }))
}

fn values(pattern: &'static str, path: &str) -> Option<PathValues> {
    let mut values = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            // The gateway decodes paths, other callers may not; no value holds a percent sign.
            Some(name) if !segment.is_empty() => {
                values.push((name, percent_decode_str(segment).decode_utf8().ok()?.into_owned()));
            }
            None if segment == expected => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_the_route_whose_every_segment_it_matches() {
        let account = "/v1/accounts/{account}";
        assert_eq!(values(account, "/v1/accounts/D1"), Some(vec![("account", "D1".to_owned())]));
        assert_eq!(values("/v1/network", "/v1/network"), Some(Vec::new()));
        for path in ["/v1/accounts", "/v1/accounts/", "/v1/accounts/D1/", "/v1/accounts/D1/records", "/"] {
            assert_eq!(values(account, path), None, "{path}");
        }
    }

    #[test]
    fn a_value_is_the_same_encoded_or_not() {
        let pattern = "/v1/system-accounts/{id}/records";
        let decoded = values(pattern, "/v1/system-accounts/CITY:430100/records");
        assert_eq!(decoded, Some(vec![("id", "CITY:430100".to_owned())]));
        assert_eq!(values(pattern, "/v1/system-accounts/CITY%3A430100/records"), decoded);
        assert_eq!(values(pattern, "/v1/system-accounts/%FF/records"), None);
    }
}
