//! Who may ask for what.
//!
//! The gateway's authorizer has checked the token's signature, issuer, audience and time; what is
//! left is what the token is for. A refusal is the same whether or not there is anything to see.

use std::str::FromStr;

use aws_lambda_events::apigw::ApiGatewayRequestAuthorizer;
use ledger::rules::AccountSequence;

use crate::problem::Problem;
use crate::route::PathValues;

/// The claim that names the account whose user a token is for.
pub const ACCOUNT_CLAIM: &str = "account_sequence";
/// The scope that may read everything.
pub const OPERATE_SCOPE: &str = "contribution:operate";

/// Whom a valid token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An operator.
    Operator,
    /// The user of this account.
    User(AccountSequence),
    /// Somebody this API has nothing for.
    Stranger,
}

impl Caller {
    /// Whom the gateway says the token is for; `None` if it checked no token.
    pub(crate) fn of(authorizer: Option<&ApiGatewayRequestAuthorizer>) -> Option<Self> {
        let claims = &authorizer?.jwt.as_ref()?.claims;
        let scopes = claims.get("scope").map(String::as_str).unwrap_or_default();
        if scopes.split(' ').any(|scope| scope == OPERATE_SCOPE) {
            return Some(Self::Operator);
        }
        let account = claims.get(ACCOUNT_CLAIM).and_then(|account| AccountSequence::from_str(account).ok());
        Some(account.map_or(Self::Stranger, Self::User))
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Operators, and the user of the account in the path.
    Account,
    /// Operators.
    Operator,
}

impl Access {
    /// Lets the caller through, or says why not.
    pub(crate) fn check(self, caller: Option<&Caller>, path: &PathValues) -> Result<(), Problem> {
        if self == Self::Public {
            return Ok(());
        }
        let is_own = |account: &AccountSequence| {
            path.iter().any(|(name, value)| *name == "account" && value == account.as_str())
        };
        match caller {
            None => Err(Problem::Unauthorized),
            Some(Caller::Operator) => Ok(()),
            Some(Caller::User(account)) if self == Self::Account && is_own(account) => Ok(()),
            Some(Caller::User(_) | Caller::Stranger) => Err(Problem::Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(claims: &serde_json::Value) -> Option<Caller> {
        let authorizer = json!({ "jwt": { "claims": claims, "scopes": null } });
        let authorizer: ApiGatewayRequestAuthorizer =
            serde_json::from_value(authorizer).expect("an authorizer");
        Caller::of(Some(&authorizer))
    }

    #[test]
    fn a_token_is_for_an_operator_a_user_or_nobody() {
        assert_eq!(caller(&json!({ "scope": "openid contribution:operate" })), Some(Caller::Operator));
        assert_eq!(caller(&json!({ "scope": "contribution:operate:no" })), Some(Caller::Stranger));
        let user = Caller::User("D1".parse().expect("an account"));
        assert_eq!(caller(&json!({ "account_sequence": "D1" })), Some(user));
        assert_eq!(caller(&json!({ "account_sequence": "HEADQUARTERS" })), Some(Caller::Stranger));
        assert_eq!(caller(&json!({ "sub": "D1" })), Some(Caller::Stranger));
        assert_eq!(Caller::of(None), None);
        assert_eq!(Caller::of(Some(&ApiGatewayRequestAuthorizer::default())), None);
    }

    #[test]
    fn a_user_passes_with_the_own_account_only() {
        let user = Caller::User("D1".parse().expect("an account"));
        let path = |account: &str| vec![("account", account.to_owned())];
        assert_eq!(Access::Account.check(Some(&user), &path("D1")), Ok(()));
        for other in ["D2", "d1", "D1 ", "HEADQUARTERS", "no account"] {
            assert_eq!(Access::Account.check(Some(&user), &path(other)), Err(Problem::Forbidden));
        }
        assert_eq!(Access::Operator.check(Some(&user), &path("D1")), Err(Problem::Forbidden));
        assert_eq!(Access::Operator.check(Some(&Caller::Stranger), &path("D1")), Err(Problem::Forbidden));
        assert_eq!(Access::Operator.check(None, &path("D1")), Err(Problem::Unauthorized));
        assert_eq!(Access::Public.check(None, &Vec::new()), Ok(()));
    }
}
