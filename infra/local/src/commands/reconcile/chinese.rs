//! What a comparison with the source found, in Chinese. The report itself says it in English.

use std::fmt::Write as _;

use ::reconcile::layout::Obstacle;
use ::reconcile::report::{HotRow, TableReport};
use ::reconcile::source::Load;
use ::reconcile::{Difference, DifferenceKind, Report};

/// Returns the report as lines of text.
pub(super) fn report(report: &Report) -> String {
    let mut lines: Vec<String> = report.tables.iter().map(table).collect();
    lines.extend(report.differences.iter().map(difference));
    lines.extend(report.hot.iter().map(hot));
    lines.extend(report.obstacles.iter().map(obstacle));
    let [lost, extra, stale] =
        [DifferenceKind::Lost, DifferenceKind::Extra, DifferenceKind::Stale].map(|kind| report.count(kind));
    let hot = report.hot.len();
    lines.push(format!("缺失 {lost} 行，多余 {extra} 行，陈旧 {stale} 行，变化过快 {hot} 行"));
    let Load { statements, busy_ms, longest_ms, bytes } = report.load;
    lines.push(format!(
        "用时 {} 毫秒；来源执行 {statements} 条语句，共 {busy_ms} 毫秒，最长 {longest_ms} 毫秒，传出 {bytes} 字节",
        report.elapsed_ms
    ));
    lines.join("\n")
}

fn table(one: &TableReport) -> String {
    format!(
        "{}：来源 {} 行，账本 {} 行；{} 段中细查 {} 段，再看 {} 行，其中 {} 行已一致",
        one.table,
        one.source_rows,
        one.ledger_rows,
        one.ranges,
        one.ranges_looked_into,
        one.rows_looked_at,
        one.caught_up
    )
}

fn difference(one: &Difference) -> String {
    let kind = match one.kind {
        DifferenceKind::Lost => "缺失",
        DifferenceKind::Extra => "多余",
        DifferenceKind::Stale => "陈旧",
    };
    let mut line = format!("{kind} {}/{}", one.topic, one.key);
    for (column, source, ledger) in &one.columns {
        let _ = write!(line, "  {}：来源 {source}，账本 {ledger}", column.name());
    }
    if !one.is_certain {
        line.push_str("  （可能仍在途中：账本尚未读过此次查看的时刻）");
    }
    line
}

fn hot(one: &HotRow) -> String {
    let HotRow { topic, key, looks, ledger_changes } = one;
    format!(
        "变化过快 {topic}/{key}：{looks} 次查看之间来源每次都有变化，账本变化 {ledger_changes} 次；请待其稳定后再核对"
    )
}

fn obstacle(one: &Obstacle) -> String {
    match one {
        Obstacle::NoTable { topic, looked_for } => format!(
            "{topic}：来源没有表 {looked_for}。请再用一个 --postgres 写明其数据库，或用 --table {topic}=SCHEMA.TABLE 写明该表"
        ),
        Obstacle::SeveralTables { topic, found } => {
            format!("{topic}：有多个同名的表（{found}）；请用 --table {topic}=SCHEMA.TABLE 选定一个")
        }
        Obstacle::UnusableKey { table, key } => {
            format!("{table}：主键为 {key}；只能核对单列的整数、UUID 或文本主键")
        }
        Obstacle::NoIndex { table, key } => format!(
            "{table}：没有以主键 {key} 开头的索引，每段都会读完整张表。请建立索引：CREATE INDEX CONCURRENTLY ON {table} ({key})"
        ),
        Obstacle::ColumnGone { table, column, names } => format!(
            "{table}：表结构已变。列 {names} 均不存在，而账本以其为 `{column}` 并已有数据；其余列照常核对。请在配置的 `columns` \
             中写明新的列名"
        ),
        Obstacle::ColumnNeverNamed { table, column, name } => format!(
            "{table}：账本的记录从未包含列 {name}（`{column}`），因此不核对。请让连接器包含该列，并重新快照"
        ),
        Obstacle::UnreadableRow { table, key, refusal } => {
            format!("{table}：主键为 {key} 的行会被解码器拒绝（{refusal}），因此不核对；其记录已被隔离")
        }
        Obstacle::NeverRead { topic, table } => {
            format!("{topic}：来源有 {table}，而账本从未读过该主题；不核对")
        }
    }
}

#[cfg(test)]
mod tests {
    use watch::language::is_chinese;

    use super::*;

    #[test]
    fn every_line_of_a_report_is_chinese_and_has_the_figures_and_names_of_the_english_one() {
        let name = || "t".to_owned();
        let obstacles = vec![
            Obstacle::NoTable { topic: name(), looked_for: name() },
            Obstacle::SeveralTables { topic: name(), found: name() },
            Obstacle::UnusableKey { table: name(), key: name() },
            Obstacle::NoIndex { table: name(), key: name() },
            Obstacle::ColumnGone { table: name(), column: name(), names: name() },
            Obstacle::ColumnNeverNamed { table: name(), column: name(), name: name() },
            Obstacle::UnreadableRow { table: name(), key: name(), refusal: name() },
            Obstacle::NeverRead { topic: name(), table: name() },
        ];
        let hot = vec![HotRow { topic: name(), key: name(), looks: 3, ledger_changes: 4 }];
        let table = TableReport { table: name(), source_rows: 11, ledger_rows: 12, ..TableReport::default() };
        let found = Report { tables: vec![table], hot, obstacles, elapsed_ms: 5, ..Report::default() };
        let text = report(&found);
        assert_eq!(text.lines().count(), found.to_string().trim_end().lines().count());
        assert!(text.lines().all(is_chinese), "{text}");
        for part in
            ["来源 11 行，账本 12 行", "--table t=SCHEMA.TABLE", "CREATE INDEX CONCURRENTLY", "用时 5 毫秒"]
        {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
