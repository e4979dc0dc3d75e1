//! Reads the accounts that ever had a referrer, in their order.
//!
//! Touches: `Ledger` (reads).

use domain::AccountSequence;
use store::heads;

use crate::problem::Problem;
use crate::request::Request;

/// Returns the first `count` accounts that ever had this referrer, after one of them.
pub(crate) async fn first_children(
    request: &Request<'_>,
    account: &AccountSequence,
    mut after: Option<AccountSequence>,
    count: usize,
) -> Result<Vec<AccountSequence>, Problem> {
    let mut children = Vec::new();
    loop {
        let wanted = count - children.len();
        let page = heads::children_page(request.engine(), account, after.as_ref(), wanted).await?;
        after = page.accounts.last().cloned();
        children.extend(page.accounts);
        if children.len() >= count || !page.may_have_more || after.is_none() {
            return Ok(children);
        }
    }
}
