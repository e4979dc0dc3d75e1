//! The parameters that a ledger's directory was fed with, so that every later command on it runs with them, too.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use domain::Versions;

use crate::language::say;
use crate::stack::{Options, Stack};

const FILE: &str = "parameters.json";

/// Returns the parameters that a directory keeps; none where it keeps none.
///
/// # Errors
///
/// They cannot be read, or the directory is a file.
pub fn read(directory: &Path) -> Result<BTreeMap<String, String>> {
    ensure!(
        !directory.is_file(),
        say(
            format!("{} is a file: name a directory with --data", directory.display()),
            format!("{} 是文件：请用 --data 写明目录", directory.display()),
        )
    );
    let file = directory.join(FILE);
    let cannot = || {
        let file = file.display();
        say(format!("cannot read the parameters in {file}"), format!("无法读取 {file} 中的参数"))
    };
    match fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(cannot),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(cannot),
    }
}

/// Keeps the parameters of a stack that runs in its directory, if it has one.
///
/// # Errors
///
/// They cannot be written, or they name other rules than those that the ledger began with.
pub async fn keep(stack: &Stack, options: &Options) -> Result<()> {
    let Some(directory) = &options.data else { return Ok(()) };
    let network = store::network::read(stack.engine()).await?;
    let first = |versions: &Versions| versions.iter().next().map(|version| version.policy.clone());
    let named = first(&Versions::starting(&stack.settings.policy_json)?);
    ensure!(
        network.is_none_or(|network| first(&network.versions) == named),
        say(
            format!(
                "the ledger in {} began with another policy, which does not change: introduce a version of the rules, \
                 or replay into an empty directory",
                directory.display()
            ),
            format!(
                "{} 中的账本以另一份规则开始，且不可更改：请发布新的规则版本，或重放到空目录",
                directory.display()
            ),
        )
    );
    let file = directory.join(FILE);
    let written = || {
        let part = file.with_extension("part");
        // Renamed when it is whole, so that no start reads half of it.
        let mut open = fs::OpenOptions::new();
        let mut opened = open.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        opened.write_all(&serde_json::to_vec_pretty(&options.parameters)?)?;
        opened.sync_all()?;
        anyhow::Ok(fs::rename(&part, &file)?)
    };
    written().with_context(|| {
        let file = file.display();
        say(format!("cannot write the parameters to {file}"), format!("无法将参数写入 {file}"))
    })
}
