//! `GET /` and `GET /console/{file}`: the console, without anything from elsewhere.
//!
//! The page holds no data; it asks this API with the token that its user gives it. What it may load and run is fixed
//! by its policy: its own files, and answers of its own origin.

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const PAGE: Route = Route {
    method: Method::Get,
    path: "/",
    access: Access::Public,
    parameters: &[],
    answer: |_| {
        Box::pin(async {
            let page = include_str!("../console/index.html");
            Ok(Answer::text("text/html; charset=utf-8", page)
                .with_header("content-security-policy", POLICY)
                .with_header("referrer-policy", "no-referrer"))
        })
    },
};

pub(crate) const FILE: Route = Route {
    method: Method::Get,
    path: "/console/{file}",
    access: Access::Public,
    parameters: &[],
    answer: |request| Box::pin(async { file(request) }),
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The files of the console but its page.
const FILES: &[(&str, &str)] = &[
    ("account-head.js", include_str!("../console/account-head.js")),
    ("account.js", include_str!("../console/account.js")),
    ("api.js", include_str!("../console/api.js")),
    ("app.js", include_str!("../console/app.js")),
    ("charts.js", include_str!("../console/charts.js")),
    ("cities.js", include_str!("../console/cities.js")),
    ("dom.js", include_str!("../console/dom.js")),
    ("events.js", include_str!("../console/events.js")),
    ("numbers.js", include_str!("../console/numbers.js")),
    ("operations.js", include_str!("../console/operations.js")),
    ("order.js", include_str!("../console/order.js")),
    ("overview.js", include_str!("../console/overview.js")),
    ("parts.js", include_str!("../console/parts.js")),
    ("regions.js", include_str!("../console/regions.js")),
    ("snapshots.js", include_str!("../console/snapshots.js")),
    ("source.js", include_str!("../console/source.js")),
    ("statement.js", include_str!("../console/statement.js")),
    ("style.css", include_str!("../console/style.css")),
    ("systems.js", include_str!("../console/systems.js")),
    ("texts.js", include_str!("../console/texts.js")),
    ("tree.js", include_str!("../console/tree.js")),
    ("triage.js", include_str!("../console/triage.js")),
    ("webhooks.js", include_str!("../console/webhooks.js")),
];

fn file(request: &Request<'_>) -> Result<Answer, Problem> {
    let wanted: String = request.path("file")?;
    let (name, content) = FILES.iter().find(|(name, _)| *name == wanted).ok_or(Problem::NoSuchPath)?;
    let is_style = name.rsplit_once('.').is_some_and(|(_, extension)| extension == "css");
    let content_type = if is_style { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    Ok(Answer::text(content_type, *content))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use watch::language::is_chinese;

    use super::*;

    fn content(name: &str) -> &'static str {
        FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| *content).expect("a file")
    }

    /// Returns the texts of the console: English and Chinese, by key.
    fn texts() -> BTreeMap<String, (String, String)> {
        let lines = content("texts.js").lines().filter(|line| line.starts_with("  \""));
        let entry = |line: &str| {
            let (key, texts) = line.trim().trim_end_matches(',').split_once(": ").expect("key: texts");
            let (english, chinese): (String, String) = serde_json::from_str(texts).expect("two texts");
            (key.trim_matches('"').to_owned(), (english, chinese))
        };
        lines.map(entry).collect()
    }

    /// Returns the keys that the files ask for, and the beginnings of keys that they make.
    fn asked_for() -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut whole, mut beginnings) = (BTreeSet::new(), BTreeSet::new());
        for (name, content) in FILES.iter().filter(|(name, _)| *name != "texts.js") {
            let pieces: Vec<&str> = content.split("t(\"").collect();
            for (before, piece) in pieces.iter().zip(&pieces[1..]) {
                if before.chars().last().is_some_and(char::is_alphanumeric) {
                    continue;
                }
                let (key, rest) = piece.split_once('"').unwrap_or_else(|| panic!("{name}: {piece}"));
                let is_beginning = rest.trim_start().starts_with('+') && key.ends_with('_');
                let keys = if is_beginning { &mut beginnings } else { &mut whole };
                keys.insert(key.to_owned());
            }
            // A text that counts has a singular besides.
            for piece in content.split("counted(\"").skip(1) {
                let (key, _) = piece.split_once('"').unwrap_or_else(|| panic!("{name}: {piece}"));
                whole.extend([key.to_owned(), format!("{key}_one")]);
            }
        }
        (whole, beginnings)
    }

    #[test]
    fn every_text_is_there_in_both_languages_and_none_is_left_over() {
        let texts = texts();
        assert!(texts.len() > 300, "the texts are found");
        for (key, (english, chinese)) in &texts {
            assert!(!english.is_empty() && !is_chinese(english), "{key}: {english}");
            let needs_words = !["and", "colon", "semicolon", "sentence_end"].contains(&key.as_str());
            assert!(!chinese.is_empty() && (!needs_words || is_chinese(chinese)), "{key}: {chinese}");
            for number in ["{0}", "{1}", "{2}"] {
                assert_eq!(english.contains(number), chinese.contains(number), "{key}");
            }
        }
        let (whole, beginnings) = asked_for();
        let missing: Vec<&String> = whole.iter().filter(|key| !texts.contains_key(*key)).collect();
        assert!(missing.is_empty(), "no text for {missing:?}");
        let begun = |key: &String| beginnings.iter().any(|beginning| key.starts_with(beginning));
        let unused: Vec<&String> = texts.keys().filter(|key| !whole.contains(*key) && !begun(key)).collect();
        assert!(unused.is_empty(), "not used: {unused:?}");
    }

    #[test]
    fn every_name_of_the_wire_that_is_shown_has_a_text() {
        let texts = texts();
        let names = [
            (
                "hold_",
                "status invalid_terms not_yet no_referral referral_cycle account_unreadable posting_paused",
            ),
            (
                "holdmeans_",
                "status invalid_terms not_yet no_referral referral_cycle account_unreadable posting_paused",
            ),
            (
                "holdhelp_",
                "status invalid_terms not_yet no_referral referral_cycle account_unreadable posting_paused",
            ),
            (
                "refused_",
                "unknown_topic malformed_json invalid_message missing_field invalid_field other_table other_key no_key avro_json other",
            ),
            (
                "refusedhelp_",
                "unknown_topic malformed_json invalid_message missing_field invalid_field other_table other_key no_key avro_json other",
            ),
            ("pausehelp_", "posting closing corrections"),
            ("kinds_", "headquarters operation province city"),
            ("state_", "posted held unpriced gone"),
            (
                "leg_",
                "personal operation province city team_level level_overflow team_bonus bonus_tier rounding adjustment",
            ),
            ("kind_line_", "posted taken_back reposted withdrawn adjusted"),
            ("kind_", "headquarters operation province city"),
            (
                "cause_",
                "row price date unlock upline version repair referral_changed user_changed activity_ended table_changed",
            ),
            (
                "entry_",
                "posted corrected withdrawn held hold_ended unpriced placed gone waits wait_ended row_changed",
            ),
            ("change_", "posted corrected withdrawn"),
            ("movement_", "became_effective late expired"),
            ("severity_", "well attention broken"),
            ("outcome_", "done refused pending"),
            ("scope_", "posting closing corrections"),
            ("end_", "root missing cycle more"),
            ("link_", "root under missing"),
            (
                "command_",
                "close repair adjust introduce pause resume let_go_brake let_go_close let_go_truncate retire_source take_over_places note rejected set_webhook remove_webhook rotate_webhook_secret resume_webhook redeliver_webhook",
            ),
            (
                "condition_",
                "direct_count promotion_count direct_at_level active_direct_count active_promotion_count",
            ),
            ("webhook_", "active failing stopped"),
            ("records_", "applied duplicated older ambiguous control quarantined"),
        ];
        for (beginning, names) in names {
            for name in names.split(' ') {
                assert!(texts.contains_key(&format!("{beginning}{name}")), "{beginning}{name}");
            }
        }
        for kind in domain::log::EventType::ALL {
            assert!(texts.contains_key(&format!("event_{kind}")), "{kind}");
            assert!(content("events.js").contains(&format!("\"{kind}\"")), "{kind}");
        }
    }

    #[test]
    fn files_import_only_files_that_are_served_and_nothing_from_elsewhere() {
        let page = include_str!("../console/index.html");
        for (name, content) in FILES.iter().copied().chain([("index.html", page)]) {
            for imported in content.split(" from \"./").skip(1) {
                let (imported, _) = imported.split_once('"').expect("a name");
                assert!(FILES.iter().any(|(known, _)| *known == imported), "{name} imports {imported}");
            }
            let elsewhere = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{name}");
            assert!(!content.contains("innerHTML") && !content.contains("eval("), "{name}");
        }
    }
}
