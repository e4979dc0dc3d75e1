//! The command line's help in Chinese, for an environment that asks for it. Names and options are the same.

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command};

/// What each command does, by its path.
const COMMANDS: &[(&str, &str)] = &[
    (
        "",
        "在本机运行算力账本。\n\n不写命令即为 `run`：在内存中启动整个系统，重放乱序事件的记录并说明结果，随后提供接口与控制台，直到按 Ctrl-C。",
    ),
    (
        "run",
        "重放捕获文件，然后提供接口与控制台，直到按 Ctrl-C。\n\n用 --data 保存且非空的账本会继续运行，不再重放。",
    ),
    (
        "replay",
        "重放捕获文件直到全部处理完毕，显示摘要后退出。\n\n捕获文件每行一条 Kafka 记录（JSON）：topic、partition、offset、timestamp、key、value，或 `kcat -J` 的输出。`-` 为标准输入。用 --data 时，中断的重放会从中断处继续。",
    ),
    ("export", "将用 --data 保存的账本状态写成 JSON；加 --log 则写出供 `verify` 校验的日志。"),
    (
        "close",
        "为用 --data 保存的账本关账，然后退出。\n\n日期按顺序关账，直至所写日期；已读到的来源数据视为全部。",
    ),
    ("status", "说明是否一切正常、进行到何处、在等待什么。"),
    ("account", "显示账户的算力、已解锁内容与认种。"),
    ("order", "逐份显示一笔认种的分配结果。"),
    ("held", "列出暂不计入的认种、原因与处理办法。"),
    ("quarantine", "列出被拒收的记录与原因。"),
    ("snapshot", "显示已关账日期：合计与按名次排列的各行。"),
    ("statement", "显示账户的期初余额、每一笔变动与期末余额。"),
    ("operations", "列出运维操作，最新在前：何人、何时、为何、前后状态。"),
    ("events", "按日志顺序列出账本告知其他服务的事件。"),
    ("webhooks", "列出接收事件推送的服务；或显示某一订阅及其推送记录。"),
    ("log", "列出日志各页，最新在前；或显示某一页的内容。"),
    (
        "pause",
        "暂停一类工作，直到 `resume`：分配新认种、关账或更正。\n\n暂停写入日志，重启后仍有效；`status` 与控制台各页都会显示，一小时后视为故障。",
    ),
    ("resume", "恢复一类工作。"),
    ("let-go", "放行被刹车或警戒拦下的内容。"),
    ("let-go brake", "放行所有等待中的撤回。"),
    ("let-go close", "放行直到该日的关账，不受警戒限制。"),
    ("let-go truncate", "移除早于清空操作的各行。"),
    ("webhook", "更改事件推送：订阅、更换密钥、重推一段或某一次。"),
    ("webhook set", "新增订阅，或更改其地址与事件类型。"),
    ("webhook rotate", "改用另一个签名密钥；旧密钥仍并用一天。"),
    ("webhook resume", "从停止处继续推送，或重推某一位置之后的全部事件。"),
    ("webhook redeliver", "重新推送某一次。"),
    ("webhook remove", "不再推送。"),
    ("webhook secrets", "显示推送所用的签名密钥。"),
    (
        "audit",
        "由日志重新计算用 --data 保存的账本，并与已存内容核对。\n\n有差异时逐一列出并以 1 退出。加 --repair 则由日志重建有差异的账户，并重新核对有差异的认种；每次修复都写入操作日志。中断的审计会从中断处继续。",
    ),
    (
        "digest",
        "打印用 --data 保存的账本的状态摘要及各部分摘要。\n\n输入相同的两个账本，无论到达顺序，同一日期的摘要相同。加 --diff 则列出两个账本前一百处差异。",
    ),
    (
        "verify",
        "校验日志导出：各页相连、条目不矛盾、每笔分配无误，且整体摘要与导出所写一致。\n\n校验不使用账本自身的代码。请保存它打印的 head：以后用 --head 校验时，此前内容若被改写会被拒绝。",
    ),
    (
        "explain",
        "说明一笔认种每一份为何是该数额：条款与价格来源、推荐链与解锁情况、未分配的部分与原因、价格位次，以及每次更正的缘由。\n\n对部署的接口，只知道日志中关于该认种的最后一条。",
    ),
    (
        "price-book",
        "将账本的价格位次写入文件，或接管另一账本的位次。\n\n第二个账本若要得到相同摘要，须在读入数据之前接管。",
    ),
    ("price-book export", "将每个有位次的订单写入文件。"),
    ("price-book import", "接管文件中的位次，须在读入数据之前进行。"),
    (
        "reconcile",
        "将来源的表与账本的记录核对，列出每一行缺失、多余或陈旧的记录。\n\n来源为 PostgreSQL 服务器或快照捕获。有差异的行会再看一次才列出，双方可继续变化。加 --repair 则由账本读入来源的内容，并写入操作日志。",
    ),
    (
        "compare",
        "逐账户说明账本与此前服务的差异及原因。\n\n读取该服务在 PostgreSQL 的表，写出 CSV 文件与网页。",
    ),
    ("completions", "打印命令行补全脚本。"),
    ("token", "打印运行中的接口可接受的访问令牌。"),
];

/// What each argument and option is, by its name; where commands differ, by the path of the command and its name.
const ARGUMENTS: &[(&str, &str)] = &[
    ("captures", "依次重放的捕获文件。"),
    ("run captures", "账本为空时重放的捕获文件；不写则重放内置的记录。"),
    ("port", "在 127.0.0.1 提供接口与控制台的端口；0 为任意空闲端口。"),
    ("as_of", "重放后关账至该日期。"),
    ("data", "保存账本的目录。"),
    ("run data", "将账本保存在该目录，以后可继续；不写则只在内存中。"),
    ("replay data", "将账本保存在该目录，以后可继续；不写则只在内存中。"),
    ("token data", "将接受该令牌的账本目录（如有）；其操作日志会记录签发。"),
    ("profile", "主题内容的配置：内置名称，或 JSON 文件。"),
    ("policy", "规则数值：JSON 文件；未写的项取默认值。"),
    ("partitions", "订单主题的分区数；不写则以捕获文件所见为准。"),
    ("settle", "撤回等待其记录后续版本的秒数。"),
    ("brake", "每小时可自动执行的撤回数；超出则等待人工；off 为关闭。"),
    ("guard", "某日新生效数额超过三十天最大值的多少倍时，关账须等待；off 为关闭。"),
    ("parameters", "设置 infra/template.yaml 的参数，与部署时相同。"),
    ("export", "结束时将账本状态写入该文件（JSON）；- 为标准输出。"),
    ("verify export", "`export --log` 写出的文件；- 为标准输入。"),
    ("json", "以 JSON 显示。"),
    ("file", "要写入的文件；- 为标准输出。"),
    ("price-book import file", "要读取的文件；- 为标准输入。"),
    ("log", "写出日志的每一页及其状态摘要，供 `verify` 校验。"),
    ("date", "日期；不写则为营业时区的今天。"),
    ("snapshot date", "日期；不写则为最近关账日。"),
    ("let-go close date", "不受警戒限制的最后日期。"),
    ("reason", "原因，写入操作日志。"),
    ("held reason", "只显示该原因的，例如 NO_REFERRAL。"),
    ("quarantine reason", "只显示该原因的。"),
    ("account", "账户：会员账户，或系统账户如 HEADQUARTERS、PROVINCE:440000。"),
    ("held account", "只显示该账户的，或等待该账户的。"),
    ("quarantine account", "只显示涉及该账户的。"),
    ("token account", "该账户会员的令牌，只能查看本人账户。"),
    ("operate", "运维人员的令牌，可查看并操作全部。"),
    ("url", "询问部署或运行中的接口，例如 http://127.0.0.1:8787。"),
    ("token", "--url 所用令牌；- 为标准输入，不写则取环境变量 CONTRIBUTION_TOKEN。"),
    ("exit_code", "一切正常以 0 退出，需关注为 1，故障为 2，无法得知为 3。"),
    ("limit", "最多显示多少条。"),
    ("order", "订单号，前面可加 #。"),
    ("quarantine order", "只显示涉及该订单的。"),
    ("csv", "将全部内容以 CSV 写入该文件；- 为标准输出。"),
    ("from", "期间首日；不写则为末日之前三十天。"),
    ("to", "期间末日，须已关账；不写则为最近关账日。"),
    ("page", "只显示该页的内容。"),
    ("shell", "哪种 shell：bash、zsh、fish。"),
    ("what", "哪类工作：posting（分配）、closing（关账）、corrections（更正）。"),
    ("key", "命令的幂等键：以同一键再次发送只执行一次；不写则生成新键。"),
    ("truncate", "清空操作的键，见 /v1/waiting。"),
    ("repair", "修复差异，并再次审计。"),
    ("reconcile repair", "对列出的每一行，读入来源的内容。"),
    ("diff", "要比较状态的两个账本目录或日志导出。"),
    ("head", "此前 `verify` 打印的 head：日志须仍含该页。"),
    ("postgres", "来源表所在的服务器；每个数据库写一次。"),
    ("compare postgres", "此前服务的表所在的服务器。"),
    ("capture", "以快照捕获代替服务器进行核对。"),
    ("topic", "只核对该主题；可写多次。"),
    ("table", "主题名未表明时，该主题对应的表。"),
    ("pause", "再看一行之前至少等待的秒数。"),
    ("patience", "列出差异之前，最多等待账本读过该时刻的秒数。"),
    ("page_rows", "每条语句最多读取来源的行数。"),
    ("full_speed", "不让来源在语句之间休息。"),
    ("schema", "表所在的 schema。"),
    ("orders", "说明此前服务每笔认种订单号的文件：每行为来源的名称、逗号、订单号。"),
    ("out", "写出 accounts.csv、legs.csv、mining.csv 与 comparison.html 的目录。"),
    ("after", "起点之后：日志页（如 57）或事件编号（如 57-3）。"),
    ("webhook set after", "新订阅的起点之后：日志页或事件编号。"),
    ("webhook resume after", "按顺序重推该位置之后的全部事件。"),
    ("until", "截至位置；不写则到末尾。"),
    ("types", "只显示该类事件；可写多次。"),
    ("webhook set types", "推送该类事件；可写多次，不写则推送全部。"),
    ("webhook", "订阅名称。"),
    ("address", "事件推送到的 https 地址。"),
    ("delivery", "推送编号，见 `webhooks 名称`。"),
];

/// Returns the command line with its help in Chinese.
#[must_use]
pub(super) fn in_chinese(command: Command) -> Command {
    translated(command, "").disable_version_flag(true).arg(
        Arg::new("version")
            .long("version")
            .short('V')
            .action(ArgAction::Version)
            .help("打印版本")
            .help_heading("选项"),
    )
}

fn translated(command: Command, path: &str) -> Command {
    let about = text(COMMANDS, path, None).unwrap_or_default();
    let examples = examples(command.get_long_about());
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path} {name}") };
    let short = about.split("\n\n").next().unwrap_or_default().trim_end_matches('。').to_owned();
    let long = if examples.is_empty() { about.to_owned() } else { format!("{about}\n\n{examples}") };
    let help = Arg::new("help").long("help").short('h').action(ArgAction::Help).help("显示帮助");
    command
        .about(short)
        .long_about(long)
        .help_template("{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}")
        .subcommand_help_heading("命令")
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .mut_args(|argument| {
            let help = text(ARGUMENTS, path, Some(argument.get_id().as_str())).unwrap_or_default();
            let heading = if argument.is_positional() { "参数" } else { "选项" };
            let has_value = argument.get_action().takes_values();
            // The default of a reason is a sentence for the operators' log, which is in English.
            let is_reason = argument.get_id() == "reason";
            argument
                .help(help)
                .long_help(help)
                .help_heading(heading)
                .hide_possible_values(has_value)
                .hide_default_value(is_reason)
        })
        .arg(help.help_heading("选项"))
        .mut_subcommands(|below_it| {
            let path = below(below_it.get_name());
            translated(below_it, &path)
        })
}

/// Returns the text of a command, or of what it takes.
fn text(texts: &'static [(&str, &str)], path: &str, argument: Option<&str>) -> Option<&'static str> {
    let find = |key: &str| texts.iter().find(|(known, _)| *known == key).map(|(_, text)| *text);
    match argument {
        None => find(path),
        Some(argument) => find(format!("{path} {argument}").trim_start()).or_else(|| find(argument)),
    }
}

/// Returns the examples of a command, one on a line.
fn examples(long_about: Option<&StyledStr>) -> String {
    let about = long_about.map(ToString::to_string).unwrap_or_default();
    let examples = about.split("Example: ").skip(1).map(|example| format!("示例：{}", example.trim()));
    examples.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;
    use watch::language::is_chinese;

    use super::*;
    use crate::arguments::Arguments;

    /// Collects the paths of commands and the keys under which their arguments are found.
    fn walk(
        command: &Command,
        path: &str,
        commands: &mut BTreeSet<String>,
        arguments: &mut BTreeSet<String>,
    ) {
        commands.insert(path.to_owned());
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let own = format!("{path} {id}").trim_start().to_owned();
            let is_own = ARGUMENTS.iter().any(|(key, _)| *key == own);
            arguments.insert(if is_own { own } else { id.to_owned() });
        }
        for below in command.get_subcommands() {
            let path = format!("{path} {}", below.get_name());
            walk(below, path.trim_start(), commands, arguments);
        }
    }

    #[test]
    fn every_command_and_option_is_explained_in_chinese_and_no_text_is_left_over() {
        let (mut commands, mut arguments) = (BTreeSet::new(), BTreeSet::new());
        walk(&Arguments::command(), "", &mut commands, &mut arguments);
        assert!(commands.len() > 30 && arguments.len() > 50, "the command line is found");
        for (found, texts) in [(commands, COMMANDS), (arguments, ARGUMENTS)] {
            let known: BTreeSet<String> = texts.iter().map(|(key, _)| (*key).to_owned()).collect();
            assert_eq!(known.len(), texts.len(), "no key twice");
            assert_eq!(found.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "without a text");
            assert_eq!(known.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "left over");
            assert!(texts.iter().all(|(_, text)| is_chinese(text)));
        }
    }

    #[test]
    fn the_help_is_chinese_throughout_and_keeps_names_and_examples() {
        let mut command = in_chinese(Arguments::command());
        command.build();
        let mut waiting = vec![command];
        while let Some(mut command) = waiting.pop() {
            let help = command.render_long_help().to_string();
            for english in
                ["Usage:", "Options:", "Commands:", "Arguments:", "Print ", "Example", "Shows", " the "]
            {
                assert!(!help.contains(english), "{}: {english}: {help}", command.get_name());
            }
            waiting.extend(command.get_subcommands().cloned());
        }
        let mut replay = in_chinese(Arguments::command());
        let replay =
            replay.find_subcommand_mut("replay").expect("it is there").render_long_help().to_string();
        assert!(
            replay.contains("示例：contribution replay") && replay.contains("--as-of <DATE>"),
            "{replay}"
        );
    }
}
