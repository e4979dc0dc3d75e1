//! Returns the comparison as the text of a page to read. It writes no file.

use std::fmt::Write as _;

use domain::{Amount, AmountOverflow, Owner};

use crate::comparison::{AccountComparison, Comparison};
use crate::csv::{ratio, signed};
use crate::mining::MiningDate;

/// How many accounts the page shows, those with the largest differences. The CSV files have all.
const ACCOUNTS_MAX: usize = 500;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<title>The ledger and the service that ran before</title><style>\
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0}th,td{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:left}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600}\
</style></head><body>\n";

/// Returns the page.
///
/// # Errors
///
/// A difference has more digits than amounts have.
pub fn page(comparison: &Comparison, dates: &[MiningDate]) -> Result<String, AmountOverflow> {
    let mut page = HEAD.to_owned();
    totals(&mut page, comparison)?;
    reasons(&mut page, comparison)?;
    accounts(&mut page, comparison)?;
    mining(&mut page, dates);
    page.push_str("</body></html>\n");
    Ok(page)
}

fn totals(page: &mut String, comparison: &Comparison) -> Result<(), AmountOverflow> {
    let difference = comparison.ours.checked_sub(comparison.earlier)?;
    let differing = comparison.accounts.values().filter(|account| !account.reasons.is_empty()).count();
    add(page, "<h1>The ledger and the service that ran before</h1>");
    add(
        page,
        &format!(
            "<p>{} adoptions, {} accounts, {differing} of them with a difference. The differences below add up: each \
             account's reasons to its difference, all accounts to the difference of the totals.</p>",
            comparison.adoptions,
            comparison.accounts.len()
        ),
    );
    add(
        page,
        "<table><tr><th></th><th class=n>earlier</th><th class=n>ledger</th><th class=n>difference</th></tr>",
    );
    let cells = [comparison.earlier.to_string(), comparison.ours.to_string(), signed(difference)];
    add(page, &row("all accounts", &cells));
    add(page, "</table>");
    Ok(())
}

fn reasons(page: &mut String, comparison: &Comparison) -> Result<(), AmountOverflow> {
    add(page, "<h2>Why</h2><table><tr><th>reason</th><th class=n>accounts</th><th class=n>more</th>");
    add(page, "<th class=n>less</th><th class=n>sum</th><th>meaning</th></tr>");
    for total in comparison.by_reason()? {
        let sum = total.more.checked_add(total.less)?;
        let cells = [total.accounts.to_string(), signed(total.more), signed(total.less), signed(sum)];
        let meaning = format!("<td>{}</td></tr>", escaped(total.reason.meaning()));
        add(page, &row(total.reason.name(), &cells).replace("</tr>", &meaning));
    }
    add(page, "</table>");
    Ok(())
}

fn accounts(page: &mut String, comparison: &Comparison) -> Result<(), AmountOverflow> {
    let mut differing: Vec<(&Owner, &AccountComparison, Amount)> = Vec::new();
    for (owner, account) in &comparison.accounts {
        if !account.reasons.is_empty() {
            differing.push((owner, account, account.difference()?));
        }
    }
    differing.sort_by_key(|(_, _, difference)| std::cmp::Reverse(difference.units().unsigned_abs()));
    add(page, "<h2>Accounts</h2>");
    if differing.len() > ACCOUNTS_MAX {
        let all = differing.len();
        add(page, &format!("<p>The {ACCOUNTS_MAX} largest of {all} differences; accounts.csv has all.</p>"));
    }
    add(page, "<table><tr><th>account</th><th class=n>earlier</th><th class=n>ledger</th>");
    add(page, "<th class=n>difference</th><th>because of</th></tr>");
    for (owner, account, difference) in differing.into_iter().take(ACCOUNTS_MAX) {
        let because: Vec<String> = account
            .reasons
            .iter()
            .map(|(reason, amount)| format!("{} {}", reason.name(), signed(*amount)))
            .collect();
        let cells = [account.earlier.to_string(), account.ours.to_string(), signed(difference)];
        let because = format!("<td>{}</td></tr>", because.join("<br>"));
        add(page, &row(&owner.to_string(), &cells).replace("</tr>", &because));
    }
    add(page, "</table>");
    Ok(())
}

fn mining(page: &mut String, dates: &[MiningDate]) {
    add(
        page,
        "<h2>Mining</h2><p>By which shares the earlier service paid on each date, and what the ledger says. The ",
    );
    add(page, "ledger's shares of a date sum to one. mining.csv has every account.</p>");
    add(page, "<table><tr><th>date</th><th class=n>network, earlier</th><th class=n>network, ledger</th>");
    add(page, "<th class=n>earlier shares sum to</th><th class=n>accounts with another share</th>");
    add(page, "<th class=n>share paid to others than the ledger says</th></tr>");
    for date in dates {
        let shown =
            |amount: Option<Amount>, missing: &str| amount.map_or(missing.to_owned(), |it| it.to_string());
        let cells = [
            shown(date.earlier_network, "no snapshot"),
            shown(date.our_network, "not closed"),
            ratio(date.earlier_ratio_sum),
            date.differing().to_string(),
            ratio(date.paid_too_much()),
        ];
        add(page, &row(&date.date.to_string(), &cells));
    }
    add(page, "</table>");
}

fn row(name: &str, cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| format!("<td class=n>{}</td>", escaped(cell))).collect();
    let cells = cells.concat();
    format!("<tr><td>{}</td>{cells}</tr>", escaped(name))
}

fn add(page: &mut String, html: &str) {
    writeln!(page, "{html}").expect("a string takes any text");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
