//! `contribution verify`: reads an export of the log, and nothing else.

use anyhow::{Context as _, Result};
use domain::log::PageHash;
use serde_json::json;
use verify::{Head, Verified};

use super::{readable, show};
use crate::arguments::Verify;
use crate::language::{Language, say};

/// Checks an export, and shows what it is worth.
pub(super) fn verify(arguments: &Verify) -> Result<()> {
    let kept = arguments.head.as_deref().map(head).transpose()?;
    let path = &arguments.export;
    let shown = path.display();
    let file = readable(path)
        .with_context(|| say(format!("cannot read the export {shown}"), format!("无法读取导出 {shown}")))?;
    let verified = ::verify::verify(file, kept)
        .with_context(|| say(format!("{shown} is refused"), format!("{shown} 被拒绝")))?;
    let head = format!("{}:{}", verified.head.position, verified.head.hash);
    if arguments.json {
        return show(&json!({
            "verified": true,
            "head": head,
            "entries": verified.entries,
            "posted": verified.posted,
            "digest": verified.digest,
        }));
    }
    let Verified { entries, posted, digest, .. } = &verified;
    let pages = verified.head.position;
    show(&Language::of_environment().say(
        format!(
            "verified: {pages} pages, {entries} entries, {posted} adoptions posted\nstate digest  {digest}\n\
             head          {head}\nKeep the head: a later export that is checked with --head {head} is refused if \
             anything up to there changed."
        ),
        format!(
            "校验通过：{pages} 页，{entries} 条，已分配认种 {posted} 笔\n状态摘要  {digest}\nhead      {head}\n\
             请保存 head：以后以 --head {head} 校验导出时，此前内容若有改动会被拒绝。"
        ),
    ))
}

fn head(text: &str) -> Result<Head> {
    let parts = text.split_once(':');
    let head = parts.and_then(|(position, hash)| {
        Some(Head { position: position.parse().ok()?, hash: PageHash::from_hex(hash)? })
    });
    head.with_context(|| {
        say(
            format!("{text} is no head: it is what `verify` printed, <position>:<64 hexadecimal digits>"),
            format!("{text} 不是 head：应为 `verify` 打印的内容，即 <位置>:<64 位十六进制数>"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_position_and_a_hash() {
        let hash = "0f".repeat(32);
        let parsed = head(&format!("12:{hash}")).unwrap();
        assert_eq!((parsed.position, parsed.hash.to_string()), (12, hash));
        for wrong in ["12", "12:", "x:0f", "12:0g"] {
            assert!(head(wrong).unwrap_err().to_string().contains("is no head"), "{wrong}");
        }
    }
}
