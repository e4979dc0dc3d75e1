//! What is wrong with a command line, in Chinese. `clap` itself says it in English.

use std::error::Error as _;

use clap::Command;
use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, Error, ErrorFormatter, ErrorKind};
use query_api::phrases;

/// What stands in every usage and in every help, and the same in Chinese.
const NAMES: [(&str, &str); 4] =
    [("[OPTIONS]", "[选项]"), ("<COMMAND>", "<命令>"), ("[COMMAND]", "[命令]"), ("[default: ", "[默认：")];

/// Says in Chinese what is wrong.
pub(super) struct Chinese;

impl ErrorFormatter for Chinese {
    fn format_error(error: &Error<Self>) -> StyledStr {
        match error.get(ContextKind::Custom) {
            Some(ContextValue::StyledStr(help)) => help.clone(),
            _ => StyledStr::from(text(error)),
        }
    }
}

/// Returns what is wrong, or what is shown in place of carrying out the command, in Chinese.
pub(super) fn in_chinese(error: clap::Error, command: &Command) -> Error<Chinese> {
    if error.exit_code() == 0 || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let help = with_names(&error.render().ansi().to_string());
        let mut shown = Error::new(error.kind()).with_cmd(command);
        shown.insert(ContextKind::Custom, ContextValue::StyledStr(StyledStr::from(help)));
        return shown;
    }
    error.apply()
}

fn text(error: &Error<Chinese>) -> String {
    let styles = Styles::styled();
    let style = styles.get_error();
    let hints = hints(error).into_iter().map(|hint| format!("\n  提示：{hint}"));
    let hints: String = hints.collect();
    let mut usage_text = String::new();
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        let usage = usage.to_string();
        let lines = usage.trim_start_matches("Usage:").lines().map(str::trim);
        let lines = lines.collect::<Vec<_>>().join("\n      ");
        usage_text = format!("\n用法：{}\n", with_names(&lines));
    }
    format!("{style}错误:{style:#} {}\n{hints}{usage_text}\n更多说明请用 '--help'。\n", what(error))
}

/// Returns what is wrong, in a sentence.
fn what(error: &Error<Chinese>) -> String {
    let context = |kind| error.get(kind).map(value).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    let given = context(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::ArgumentConflict => conflict(error, &argument),
        ErrorKind::NoEquals => format!("'{argument}' 的值须用 = 写明"),
        ErrorKind::InvalidValue if given.is_empty() => {
            format!("'{argument}' 需要一个值{}", choices(error, ContextKind::ValidValue))
        }
        ErrorKind::InvalidValue => {
            format!("'{argument}' 不能是 '{given}'{}", choices(error, ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            format!("'{argument}' 不能是 '{given}'：{}", phrases::in_chinese(&cause))
        }
        ErrorKind::InvalidSubcommand => format!("没有命令 '{}'", context(ContextKind::InvalidSubcommand)),
        ErrorKind::MissingSubcommand => {
            let command = context(ContextKind::InvalidSubcommand);
            format!("'{command}' 之后还须写明命令{}", choices(error, ContextKind::ValidSubcommand))
        }
        ErrorKind::MissingRequiredArgument => format!("缺少必需的参数：{argument}"),
        ErrorKind::UnknownArgument => format!("没有参数 '{argument}'"),
        ErrorKind::TooManyValues => format!("'{argument}' 的值过多，多出 '{given}'"),
        ErrorKind::TooFewValues => {
            let (least, actual) = (context(ContextKind::MinValues), context(ContextKind::ActualNumValues));
            format!("'{argument}' 至少需要 {least} 个值，只有 {actual} 个")
        }
        ErrorKind::WrongNumberOfValues => {
            let expected = context(ContextKind::ExpectedNumValues);
            let actual = context(ContextKind::ActualNumValues);
            format!("'{argument}' 需要 {expected} 个值，而有 {actual} 个")
        }
        ErrorKind::InvalidUtf8 => "有参数不是有效的 UTF-8 文本".to_owned(),
        _ => {
            format!("无法读取命令行{}", error.source().map(|cause| format!("：{cause}")).unwrap_or_default())
        }
    }
}

fn conflict(error: &Error<Chinese>, argument: &str) -> String {
    let before = error.get(ContextKind::PriorArg).map(value).unwrap_or_default();
    let one = match error.get(ContextKind::InvalidSubcommand) {
        Some(command) => format!("命令 '{}'", value(command)),
        None => format!("'{argument}'"),
    };
    if before.is_empty() {
        format!("{one} 不能与所写的其他参数同时使用")
    } else if before == argument {
        format!("{one} 只能写一次")
    } else {
        format!("{one} 不能与 '{before}' 同时使用")
    }
}

/// Returns what may be written instead, as an end of the sentence.
fn choices(error: &Error<Chinese>, kind: ContextKind) -> String {
    let choices = error.get(kind).map(value).unwrap_or_default();
    if choices.is_empty() { choices } else { format!("；可以是：{choices}") }
}

/// Returns what may have been meant.
fn hints(error: &Error<Chinese>) -> Vec<String> {
    let meant = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let meant = meant.into_iter().filter_map(|kind| error.get(kind)).map(value);
    let mut hints: Vec<String> = meant.map(|meant| format!("是否想写 {meant}？\n")).collect();
    if let Some(ContextValue::StyledStrs(others)) = error.get(ContextKind::Suggested) {
        hints.extend(others.iter().map(|other| phrases::in_chinese(&other.to_string()) + "\n"));
    }
    hints
}

fn value(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(texts) => texts.join("、"),
        value => value.to_string(),
    }
}

fn with_names(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (english, chinese)| text.replace(english, chinese))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use clap::CommandFactory as _;
    use watch::language::has_english_words;

    use super::super::{Arguments, chinese};
    use super::*;

    /// Kinds that no command line of this program leads to: no option takes `=` alone or a varying number of values,
    /// every command below another shows its help instead, and nothing is read or written.
    const NOT_MET: [ErrorKind; 6] = [
        ErrorKind::NoEquals,
        ErrorKind::TooManyValues,
        ErrorKind::TooFewValues,
        ErrorKind::MissingSubcommand,
        ErrorKind::Io,
        ErrorKind::Format,
    ];
    /// Every kind that `clap` has.
    const KINDS: usize = 17;

    /// Returns how a command line is refused, or what help it shows; `None` where it is carried out.
    fn refusal(arguments: impl IntoIterator<Item = OsString>) -> Option<(ErrorKind, String)> {
        let mut command = chinese::in_chinese(Arguments::command());
        let all = std::iter::once(OsString::from("contribution")).chain(arguments);
        let error = command.try_get_matches_from_mut(all).err()?;
        let error = in_chinese(error, &command);
        Some((error.kind(), error.render().to_string()))
    }

    fn of(arguments: &[&str]) -> (ErrorKind, String) {
        refusal(arguments.iter().map(OsString::from)).expect("it is refused, or shows help")
    }

    /// Returns whether two English words follow each other outside the usage, which has names of commands.
    fn has_english(text: &str) -> bool {
        let is_usage = |line: &str| line.starts_with("用法：") || line.starts_with("      contribution");
        text.lines().any(|line| !is_usage(line) && has_english_words(line))
    }

    #[test]
    fn every_kind_of_refusal_is_said_in_chinese() {
        let mut met: Vec<ErrorKind> = Vec::new();
        for (arguments, kind, said) in [
            (
                vec!["repaly", "x"],
                ErrorKind::InvalidSubcommand,
                "没有命令 'repaly'\n\n  提示：是否想写 replay？",
            ),
            (
                vec!["replay", "x", "--as-off", "2026-02-10"],
                ErrorKind::UnknownArgument,
                "没有参数 '--as-off'\n\n  提示：是否想写 --as-of？",
            ),
            (vec!["replay"], ErrorKind::MissingRequiredArgument, "缺少必需的参数：<CAPTURE>..."),
            (vec!["replay", "x", "--as-of", "soon"], ErrorKind::ValueValidation, "不能是 'soon'："),
            (vec!["replay", "x", "--as-of"], ErrorKind::InvalidValue, "'--as-of <DATE>' 需要一个值"),
            (
                vec!["pause", "--what", "postin", "--reason", "x"],
                ErrorKind::InvalidValue,
                "不能是 'postin'；可以是：posting、closing、corrections",
            ),
            (
                vec!["status", "--data", "a", "--url", "b"],
                ErrorKind::ArgumentConflict,
                "'--data <DIR>' 不能与 '--url <URL>' 同时使用",
            ),
            (vec!["status", "--json", "--json"], ErrorKind::ArgumentConflict, "'--json' 只能写一次"),
            (vec!["--port", "1", "status"], ErrorKind::ArgumentConflict, "命令 'status' 不能与"),
            (vec!["digest", "--diff", "a"], ErrorKind::WrongNumberOfValues, "需要 2 个值，而有 1 个"),
            (vec!["let-go"], ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, "用法："),
            (vec!["replay", "--help"], ErrorKind::DisplayHelp, "用法：contribution replay [选项] <CAPTURE>"),
            (vec!["--version"], ErrorKind::DisplayVersion, "contribution"),
        ] {
            let (found, text) = of(&arguments);
            assert_eq!(found, kind, "{arguments:?}: {text}");
            assert!(text.contains(said), "{arguments:?}: {text}");
            let is_refused = text.starts_with("错误: ") && text.ends_with("更多说明请用 '--help'。\n");
            assert!(is_refused || !text.contains("错误"), "{text}");
            assert!(!is_refused || !has_english(&text), "{text}");
            met.push(found);
        }
        let no_text = OsString::from_vec(vec![0xff]);
        let (kind, text) = refusal(["status".into(), "--url".into(), no_text]).expect("it is refused");
        assert!(kind == ErrorKind::InvalidUtf8 && text.contains("UTF-8 文本"), "{text}");
        met.extend([kind].into_iter().chain(NOT_MET));
        met.dedup();
        met.sort_by_key(|kind| format!("{kind:?}"));
        met.dedup();
        assert_eq!(met.len(), KINDS, "{met:?}");
    }

    /// Collects a command line for each option and argument, with a value that none takes.
    fn with_wrong_values(command: &Command, path: &[String], found: &mut Vec<Vec<String>>) {
        for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
            let mut line = path.to_vec();
            line.push(match argument.get_long() {
                Some(long) => format!("--{long}=? ?"),
                None => "? ?".to_owned(),
            });
            found.push(line);
        }
        for below in command.get_subcommands() {
            let path = [path, &[below.get_name().to_owned()]].concat();
            with_wrong_values(below, &path, found);
        }
    }

    #[test]
    fn every_value_that_is_refused_is_refused_in_chinese() {
        let mut lines = Vec::new();
        with_wrong_values(&Arguments::command(), &[], &mut lines);
        let mut refused = 0;
        for line in lines {
            let Some((kind, text)) = refusal(line.iter().map(OsString::from)) else { continue };
            refused += usize::from(matches!(kind, ErrorKind::ValueValidation | ErrorKind::InvalidValue));
            assert!(!has_english(&text), "{line:?}: {text}");
        }
        assert!(refused > 30, "{refused} values are refused");
    }

    #[test]
    fn a_help_has_no_english_names() {
        let mut command = chinese::in_chinese(Arguments::command());
        command.build();
        let mut waiting = vec![command];
        while let Some(mut command) = waiting.pop() {
            let help = with_names(&command.render_long_help().to_string());
            for english in ["OPTIONS", "COMMAND", "default", "possible"] {
                assert!(!help.contains(english), "{english}: {help}");
            }
            waiting.extend(command.get_subcommands().cloned());
        }
    }
}
