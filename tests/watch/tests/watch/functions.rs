//! Each function has all that the walk "add a function" of CONTRIBUTING.md lists.

use watch::{Manifest, Repository};

/// One machine has no schedule of audits: its command line audits when it is asked to.
const NOT_IN_THE_LOCAL_STACK: [&str; 1] = ["ledger-audit"];

#[test]
fn every_function_is_deployed_and_runs_locally_and_is_on_the_map() {
    let repository = Repository::read();
    let local_functions = repository.text("infra/local/src/functions.rs");
    let local_manifest = repository.text("infra/local/Cargo.toml");
    let workspace = repository.text("Cargo.toml");
    let template = repository.text("infra/template.yaml");
    let architecture = repository.text("ARCHITECTURE.md");
    let mut checked = 0;
    for manifest in Manifest::all(&repository) {
        let Some(name) = manifest.folder.strip_prefix("functions/") else { continue };
        let library = name.replace('-', "_");
        let is_local = !NOT_IN_THE_LOCAL_STACK.contains(&name);
        let main = repository.text(&format!("functions/{name}/src/main.rs"));
        let needed = [
            ("main.rs is one call", main.contains(&format!("{library}::run()")) && main.lines().count() <= 6),
            ("Cargo.toml names it", workspace.contains(&format!("{name} = {{ path = \"functions/{name}\""))),
            (
                "infra/local/Cargo.toml names it",
                !is_local || local_manifest.contains(&format!("{name}.workspace")),
            ),
            (
                "infra/local/src/functions.rs builds it",
                local_functions.contains(&format!("{library}::build")),
            ),
            ("infra/template.yaml deploys it", template.contains(&format!("target/lambda/{name}/"))),
            ("ARCHITECTURE.md shows it", architecture.contains(name)),
        ];
        for (what, holds) in needed {
            assert!(holds, "{name}: {what}, see the walk in CONTRIBUTING.md");
        }
        checked += 1;
    }
    assert!(checked >= 8, "{checked}");
}
