//! `contribution digest`: reads one or two kept ledgers or exports, and writes nothing.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use domain::BusinessDate;
use domain::digest::{KeyDifference, StateDigest, diff, write_dump};
use serde_json::{Value, json};

use super::kept::Kept;
use super::{readable, show, unless_stopped};
use crate::arguments::{Digest, KeptLedger};
use crate::language::{Language, say, tell};

/// How many keys that differ are named.
const DIFFERENCES_MAX: usize = 100;

/// Shows the digest of a ledger's state, or what two states differ in.
pub(super) async fn digest(arguments: Digest) -> Result<()> {
    if let [first, second] = arguments.diff.as_slice() {
        return unless_stopped(None, differences(&arguments, first, second)).await;
    }
    let directory = arguments.data.as_deref().context(say(
        "name a ledger with --data, or two with --diff",
        "请用 --data 写明一个账本，或用 --diff 写明两个",
    ))?;
    unless_stopped(Some(directory), async {
        let kept = open(directory, &arguments).await?;
        let date = arguments.date.map_or_else(|| kept.today(), Ok)?;
        let digest = StateDigest::of(&kept.state(date).await?);
        if arguments.json { show(&serde_json::to_string_pretty(&digest)?) } else { show(&digest) }
    })
    .await
}

async fn open(directory: &Path, arguments: &Digest) -> Result<Kept> {
    let ledger = KeptLedger { data: directory.to_owned(), parameters: arguments.parameters.clone() };
    Kept::open(&ledger.options()?, directory).await
}

async fn differences(arguments: &Digest, first: &Path, second: &Path) -> Result<()> {
    let dumps = [dump(first, arguments).await?, dump(second, arguments).await?];
    let [one, other] = dumps.each_ref().map(Cursor::new);
    let found = diff(one, other, DIFFERENCES_MAX)?;
    if arguments.json {
        show(&serde_json::to_string_pretty(&found.iter().map(json_of).collect::<Vec<_>>())?)?;
    } else {
        for difference in &found {
            show(&text_of(difference))?;
        }
    }
    match found.len() {
        0 => {
            let (first, second) = (first.display(), second.display());
            let told = Language::of_environment().say(
                format!("{first} and {second} have the same state"),
                format!("{first} 与 {second} 的状态相同"),
            );
            tell(&told);
            Ok(())
        }
        DIFFERENCES_MAX => bail!(say(
            format!("the states differ in {DIFFERENCES_MAX} keys or more; these are the first"),
            format!("状态至少有 {DIFFERENCES_MAX} 处不同；以上为最先发现的")
        )),
        count => bail!(say(format!("the states differ in {count} keys"), format!("状态有 {count} 处不同"))),
    }
}

/// Returns the lines of the state in a data directory, or of the state that an export of a log leads to.
async fn dump(path: &Path, arguments: &Digest) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    if path.is_dir() {
        let kept = open(path, arguments).await?;
        let date: BusinessDate = arguments.date.map_or_else(|| kept.today(), Ok)?;
        write_dump(&kept.state(date).await?, &mut lines)?;
    } else {
        let shown = path.display();
        let file = readable(path).with_context(|| {
            say(
                format!("cannot read {shown}: name a data directory, or a file made with `export --log`"),
                format!("无法读取 {shown}：请写明账本目录，或 `export --log` 写出的文件"),
            )
        })?;
        verify::write_state(file, arguments.date, &mut lines)
            .with_context(|| say(format!("{shown} is refused"), format!("{shown} 被拒绝")))?;
    }
    Ok(lines)
}

fn json_of(difference: &KeyDifference) -> Value {
    let KeyDifference { section, key, first, second } = difference;
    json!({ "section": section, "key": key, "first": first, "second": second })
}

fn text_of(difference: &KeyDifference) -> String {
    let KeyDifference { section, key, first, second } = difference;
    let nothing = Language::of_environment().say("nothing", "无");
    let [first, second] = [first, second].map(|value| value.as_deref().unwrap_or(nothing));
    format!("{} {key}: {first} | {second}", section.name())
}
