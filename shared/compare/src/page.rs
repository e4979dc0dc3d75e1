//! Returns the comparison as the text of a page to read. It writes no file.

use std::fmt::Write as _;

use domain::{Amount, AmountOverflow, Owner};

use crate::comparison::{AccountComparison, Comparison};
use crate::csv::{ratio, signed};
use crate::language::Language;
use crate::mining::MiningDate;

/// How many accounts the page shows, those with the largest differences. The CSV files have all.
const ACCOUNTS_MAX: usize = 500;

const STYLE: &str = "<style>\
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0}th,td{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:left}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600}\
</style>";

/// Returns the page.
///
/// # Errors
///
/// A difference has more digits than amounts have.
pub fn page(
    comparison: &Comparison,
    dates: &[MiningDate],
    language: Language,
) -> Result<String, AmountOverflow> {
    let tag = language.choose("en", "zh-CN");
    let title = title(language);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><title>{title}</title>{STYLE}</head><body>\n"
    );
    totals(&mut page, comparison, language)?;
    reasons(&mut page, comparison, language)?;
    accounts(&mut page, comparison, language)?;
    mining(&mut page, dates, language);
    page.push_str("</body></html>\n");
    Ok(page)
}

fn title(language: Language) -> &'static str {
    language.choose("The ledger and the service that ran before", "账本与此前的服务")
}

fn totals(page: &mut String, comparison: &Comparison, language: Language) -> Result<(), AmountOverflow> {
    let difference = comparison.ours.checked_sub(comparison.earlier)?;
    let differing = comparison.accounts.values().filter(|account| !account.reasons.is_empty()).count();
    let (adoptions, accounts) = (comparison.adoptions, comparison.accounts.len());
    add(page, &format!("<h1>{}</h1>", title(language)));
    let summary = language.choose(
        format!(
            "{adoptions} adoptions, {accounts} accounts, {differing} of them with a difference. The differences below \
             add up: each account's reasons to its difference, all accounts to the difference of the totals."
        ),
        format!(
            "{adoptions} 笔认种，{accounts} 个账户，其中 {differing} 个有差异。下列差异可逐一相加：每个账户的各项原因之和即其差额，全部账户之和即合计的差额。"
        ),
    );
    add(page, &format!("<p>{summary}</p>"));
    heads(page, &["", earlier(language), ledger(language), difference_word(language)], &[]);
    let cells = [comparison.earlier.to_string(), comparison.ours.to_string(), signed(difference)];
    add(page, &row(language.choose("all accounts", "全部账户"), &cells));
    add(page, "</table>");
    Ok(())
}

fn reasons(page: &mut String, comparison: &Comparison, language: Language) -> Result<(), AmountOverflow> {
    add(page, &format!("<h2>{}</h2>", language.choose("Why", "原因")));
    let numbers = language
        .choose(["reason", "accounts", "more", "less", "sum"], ["原因", "账户数", "多出", "减少", "合计"]);
    heads(page, &numbers, &[language.choose("meaning", "含义")]);
    for total in comparison.by_reason()? {
        let sum = total.more.checked_add(total.less)?;
        let cells = [total.accounts.to_string(), signed(total.more), signed(total.less), signed(sum)];
        let meaning = format!("<td>{}</td></tr>", escaped(total.reason.meaning(language)));
        add(page, &row(total.reason.name(), &cells).replace("</tr>", &meaning));
    }
    add(page, "</table>");
    Ok(())
}

fn accounts(page: &mut String, comparison: &Comparison, language: Language) -> Result<(), AmountOverflow> {
    let mut differing: Vec<(&Owner, &AccountComparison, Amount)> = Vec::new();
    for (owner, account) in &comparison.accounts {
        if !account.reasons.is_empty() {
            differing.push((owner, account, account.difference()?));
        }
    }
    differing.sort_by_key(|(_, _, difference)| std::cmp::Reverse(difference.units().unsigned_abs()));
    add(page, &format!("<h2>{}</h2>", language.choose("Accounts", "账户")));
    if differing.len() > ACCOUNTS_MAX {
        let all = differing.len();
        let shown = language.choose(
            format!("The {ACCOUNTS_MAX} largest of {all} differences; accounts.csv has all."),
            format!("共 {all} 项差异，此处为最大的 {ACCOUNTS_MAX} 项；全部见 accounts.csv。"),
        );
        add(page, &format!("<p>{shown}</p>"));
    }
    let account = language.choose("account", "账户");
    let numbers = [account, earlier(language), ledger(language), difference_word(language)];
    heads(page, &numbers, &[language.choose("because of", "原因")]);
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

fn mining(page: &mut String, dates: &[MiningDate], language: Language) {
    add(page, &format!("<h2>{}</h2>", language.choose("Mining", "挖矿")));
    let what = language.choose(
        "By which shares the earlier service paid on each date, and what the ledger says. The ledger's shares of a date \
         sum to one. mining.csv has every account.",
        "此前服务每日按何份额发放，以及账本所载的份额。账本每日份额之和为一。全部账户见 mining.csv。",
    );
    add(page, &format!("<p>{what}</p>"));
    let numbers = language.choose(
        [
            "date",
            "network, earlier",
            "network, ledger",
            "earlier shares sum to",
            "accounts with another share",
            "share paid to others than the ledger says",
        ],
        [
            "日期",
            "全网（此前服务）",
            "全网（账本）",
            "此前份额之和",
            "份额不同的账户数",
            "发给账本所载以外账户的份额",
        ],
    );
    heads(page, &numbers, &[]);
    for date in dates {
        let shown =
            |amount: Option<Amount>, missing: &str| amount.map_or(missing.to_owned(), |it| it.to_string());
        let cells = [
            shown(date.earlier_network, language.choose("no snapshot", "没有快照")),
            shown(date.our_network, language.choose("not closed", "尚未关账")),
            ratio(date.earlier_ratio_sum),
            date.differing().to_string(),
            ratio(date.paid_too_much()),
        ];
        add(page, &row(&date.date.to_string(), &cells));
    }
    add(page, "</table>");
}

fn earlier(language: Language) -> &'static str {
    language.choose("earlier", "此前服务")
}

fn ledger(language: Language) -> &'static str {
    language.choose("ledger", "账本")
}

fn difference_word(language: Language) -> &'static str {
    language.choose("difference", "差额")
}

/// Begins a table: the first column and the last ones have texts, those between numbers.
fn heads(page: &mut String, numbers: &[&str], texts: &[&str]) {
    let numbers = numbers.iter().enumerate().map(|(at, head)| {
        let class = if at == 0 { "" } else { " class=n" };
        format!("<th{class}>{head}</th>")
    });
    let texts = texts.iter().map(|head| format!("<th>{head}</th>"));
    let heads: String = numbers.chain(texts).collect();
    add(page, &format!("<table><tr>{heads}</tr>"));
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
