//! Reads an account: its head, and what the log says of the network.
//!
//! Touches: `Ledger` (reads), `Source` (reads users).

use domain::log::Position;
use domain::{AccountSequence, Link, Owner, SystemAccount};
use serde::Serialize;
use store::heads::{self, AccountHead, At};
use store::users;

use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::view::instant;

/// Returns an account's head, if anything is known of the account, and the position it stands at.
///
/// An account is known if it has a head, or a user. A province or a city is known once an adoption names it; the
/// other two system accounts always are.
pub(crate) async fn known(request: &Request<'_>, owner: &Owner) -> Result<(AccountHead, Position), Problem> {
    let At { head, position } = head(request, owner).await?;
    if position == 0 {
        let is_known = match owner {
            Owner::User(account) => {
                let users = users::read(request.engine(), vec![account.clone()]).await?;
                users.values().any(|rows| rows.user().is_some())
            }
            Owner::System(SystemAccount::Headquarters | SystemAccount::Operation) => true,
            Owner::System(SystemAccount::Province(_) | SystemAccount::City(_)) => false,
        };
        if !is_known {
            return Err(Problem::Unknown(Subject::Account, owner.to_string()));
        }
    }
    Ok((head, request.position_of(owner, position)))
}

/// Returns an account's head; a default one where there is none.
pub(crate) async fn head(request: &Request<'_>, owner: &Owner) -> Result<At<AccountHead>, Problem> {
    let mut heads = heads::accounts(request.engine(), vec![owner.clone()]).await?;
    Ok(heads.remove(owner).unwrap_or_default())
}

/// Where an account hangs in the referral forest.
#[derive(Debug, Serialize)]
pub(crate) struct LinkView {
    /// `ROOT`, `UNDER` a referrer, or `MISSING`: no referral row names the account.
    state: &'static str,
    /// The referrer, as the caller may see it.
    referrer: Option<String>,
    /// A change that waits, and until when.
    waiting: Option<WaitingLinkView>,
}

#[derive(Debug, Serialize)]
struct WaitingLinkView {
    state: &'static str,
    referrer: Option<String>,
    since: chrono::DateTime<chrono::Utc>,
    until: chrono::DateTime<chrono::Utc>,
    adoptions: u32,
}

impl LinkView {
    /// Returns where the head's account hangs. `name` gives an account as the caller may see it.
    pub(crate) fn new(head: &AccountHead, name: impl Fn(&AccountSequence) -> String) -> Self {
        let link = head.node.link();
        let waiting = head.node.waiting.as_ref().map(|waiting| {
            let latest = head.node.latest_link();
            WaitingLinkView {
                state: state(&latest),
                referrer: latest.referrer().map(&name),
                since: instant(waiting.since_ms),
                until: instant(waiting.until_ms),
                adoptions: waiting.adoptions,
            }
        });
        Self { state: state(&link), referrer: link.referrer().map(name), waiting }
    }
}

fn state(link: &Link) -> &'static str {
    match link {
        Link::Missing => "MISSING",
        Link::Root => "ROOT",
        Link::Under(_) => "UNDER",
    }
}
