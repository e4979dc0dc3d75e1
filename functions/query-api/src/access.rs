//! Access: which caller may use which route.
//!
//! The gateway's authorizer has checked the token's signature, issuer, audience and time. What is left is what
//! the token is for. A refusal is the same whether or not there is anything to see.

use domain::AccountSequence;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The claim that names the account of the member whom a token is for.
pub const ACCOUNT_CLAIM: &str = "account_sequence";
/// The scope that may read everything.
pub const READ_SCOPE: &str = "contribution:read";
/// The scope that may read everything and send the commands of every day.
pub const OPERATE_SCOPE: &str = "contribution:operate";
/// The scope that may read everything and send the commands that change rules or move amounts.
pub const APPROVE_SCOPE: &str = "contribution:approve";

/// Whom a valid token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An operator.
    Operator(Operator),
    /// The member with this account.
    Member(AccountSequence),
    /// A caller for whom this API has nothing.
    Stranger,
}

/// An operator, and what the token allows beyond reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator {
    /// The token's subject, for the operators' log.
    pub(crate) name: String,
    /// Whether it may send the commands of every day.
    pub(crate) may_operate: bool,
    /// Whether it may change rules and move amounts.
    pub(crate) may_approve: bool,
}

impl Caller {
    /// Returns whom these claims are for; `None` if the gateway checked no token.
    pub(crate) fn of(claims: Option<&Map<String, Value>>) -> Option<Self> {
        let claims = claims?;
        let scopes = scopes(claims.get("scope"));
        let has = |wanted: &str| scopes.iter().any(|scope| scope == wanted);
        let (may_operate, may_approve) = (has(OPERATE_SCOPE), has(APPROVE_SCOPE));
        if may_operate || may_approve || has(READ_SCOPE) {
            let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
            let name = subject.unwrap_or("an operator without a name").to_owned();
            return Some(Self::Operator(Operator { name, may_operate, may_approve }));
        }
        let account = claims.get(ACCOUNT_CLAIM).and_then(Value::as_str);
        // Gateways write a claim that is null as this word.
        let account = account.filter(|account| *account != "null").and_then(|account| account.parse().ok());
        Some(account.map_or(Self::Stranger, Self::Member))
    }
}

/// Returns the scopes of a claim: a text with blanks between them, an array, or the gateway's text of an array.
fn scopes(claim: Option<&Value>) -> Vec<String> {
    let words = |text: &str| {
        let text = text.trim().trim_start_matches('[').trim_end_matches(']');
        text.split([' ', ',']).map(|word| word.trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    match claim {
        Some(Value::String(text)) => words(text),
        Some(Value::Array(scopes)) => {
            scopes.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Every caller, without a token.
    Public,
    /// Operators, and the member whose account is in the path.
    Account,
    /// Operators, and every member; the route itself shows a member only what is the member's own.
    Member,
    /// Operators.
    Operator,
    /// Operators whose token allows commands.
    Command,
}

impl Access {
    /// Returns who may use a route, in the contract's words.
    pub(crate) fn callers(self) -> &'static [&'static str] {
        match self {
            Self::Public => &["everyone"],
            Self::Account => &["read", "operate", "approve", "own"],
            Self::Member => &["read", "operate", "approve", "member"],
            Self::Operator => &["read", "operate", "approve"],
            Self::Command => &["operate", "approve"],
        }
    }

    /// Checks that the caller may use a route, with the account that its path names, if it names one.
    pub(crate) fn check(self, caller: Option<&Caller>, account: Option<&str>) -> Result<(), Problem> {
        if self == Self::Public {
            return Ok(());
        }
        let is_own = |own: &AccountSequence| account == Some(own.as_str());
        match caller {
            None => Err(Problem::Unauthorized),
            Some(Caller::Operator(operator)) if self == Self::Command => {
                if operator.may_operate || operator.may_approve { Ok(()) } else { Err(Problem::Forbidden) }
            }
            Some(Caller::Operator(_)) => Ok(()),
            Some(Caller::Member(account)) if self == Self::Account && is_own(account) => Ok(()),
            Some(Caller::Member(_)) if self == Self::Member => Ok(()),
            Some(Caller::Member(_) | Caller::Stranger) => Err(Problem::Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(claims: &Value) -> Option<Caller> {
        Caller::of(claims.as_object())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what access answers")]
    fn operator(may_operate: bool, may_approve: bool) -> Option<Caller> {
        Some(Caller::Operator(Operator { name: "anna".to_owned(), may_operate, may_approve }))
    }

    #[test]
    fn a_token_is_for_an_operator_a_member_or_a_stranger() {
        let with_scope = |scope: Value| caller(&json!({ "sub": "anna", "scope": scope }));
        assert_eq!(with_scope(json!("openid contribution:operate")), operator(true, false));
        assert_eq!(with_scope(json!(["contribution:read", "contribution:approve"])), operator(false, true));
        assert_eq!(with_scope(json!("[contribution:read contribution:operate]")), operator(true, false));
        assert_eq!(with_scope(json!("[\"contribution:read\",\"email\"]")), operator(false, false));
        assert_eq!(with_scope(json!("contribution:operate:no")), Some(Caller::Stranger));
        let member = Caller::Member("D1".parse().expect("an account"));
        assert_eq!(caller(&json!({ "account_sequence": "D1" })), Some(member));
        for claims in [
            json!({ "account_sequence": "HEADQUARTERS" }),
            json!({ "account_sequence": null }),
            json!({ "account_sequence": "null" }),
            json!({ "account_sequence": 7 }),
            json!({ "sub": "D1", "scope": null }),
        ] {
            assert_eq!(caller(&claims), Some(Caller::Stranger), "{claims}");
        }
        assert_eq!(Caller::of(None), None);
    }

    #[test]
    fn a_member_passes_with_the_own_account_only() {
        let member = Caller::Member("D1".parse().expect("an account"));
        assert_eq!(Access::Account.check(Some(&member), Some("D1")), Ok(()));
        for other in ["D2", "d1", "D1 ", "HEADQUARTERS", "no account"] {
            assert_eq!(Access::Account.check(Some(&member), Some(other)), Err(Problem::Forbidden));
        }
        for access in [Access::Operator, Access::Command] {
            assert_eq!(access.check(Some(&member), Some("D1")), Err(Problem::Forbidden));
            assert_eq!(access.check(Some(&Caller::Stranger), Some("D1")), Err(Problem::Forbidden));
            assert_eq!(access.check(None, Some("D1")), Err(Problem::Unauthorized));
        }
        assert_eq!(Access::Public.check(None, None), Ok(()));
    }

    #[test]
    fn a_token_that_may_only_read_sends_no_command() {
        let reader = operator(false, false);
        assert_eq!(Access::Operator.check(reader.as_ref(), None), Ok(()));
        assert_eq!(Access::Command.check(reader.as_ref(), None), Err(Problem::Forbidden));
    }
}
