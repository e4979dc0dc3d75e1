//! Each function has all that the walk "add a function" of CONTRIBUTING.md lists.

use std::collections::BTreeSet;

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

#[test]
fn a_function_says_which_tables_and_queues_it_touches_as_its_role_allows() {
    let repository = Repository::read();
    let template = repository.text("infra/template.yaml");
    let mut checked = 0;
    for manifest in Manifest::all(&repository) {
        let Some(name) = manifest.folder.strip_prefix("functions/") else { continue };
        let role = touched_by_role(&template, name);
        let library = repository.text(&format!("functions/{name}/src/lib.rs"));
        assert_eq!(
            touched_as_said(&library),
            role,
            "the first lines of functions/{name}/src/lib.rs, and its role"
        );
        checked += role.reads.len();
    }
    assert!(checked >= 20, "{checked}");
}

/// The names, in the template, of what a function touches.
#[derive(Debug, Default, PartialEq, Eq)]
struct Touched {
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
    sends_to: BTreeSet<String>,
}

fn touched_by_role(template: &str, name: &str) -> Touched {
    let camel: String = name.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
    let start = template.find(&format!("\n  {camel}Role:\n")).unwrap_or_else(|| panic!("{camel}Role"));
    let mut touched = Touched::default();
    let role =
        template[start + 1..].lines().skip(1).take_while(|line| line.is_empty() || line.starts_with("    "));
    let text = role.collect::<Vec<_>>().join("\n");
    for statement in text.split("- Sid:").skip(1).filter(|statement| !statement.contains("\"WARM_UP\"")) {
        let resource = statement.split("Resource: !GetAtt ").nth(1).and_then(|rest| rest.split('.').next());
        let Some(resource) = resource else { continue };
        let does = |actions: &[&str]| actions.iter().any(|action| statement.contains(action));
        if does(&["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan"]) {
            touched.reads.insert(resource.to_owned());
        }
        if does(&["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:PartiQL"]) {
            touched.writes.insert(resource.to_owned());
        }
        // Where Lambda leaves a batch that it could not hand over is not the function's doing.
        if does(&["sqs:SendMessage"]) && resource != "UndeliveredChanges" {
            touched.sends_to.insert(resource.to_owned());
        }
    }
    touched
}

fn touched_as_said(library: &str) -> Touched {
    let head: Vec<&str> = library.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let names = |label: &str| {
        let text = head.join("\n");
        let said = text.split(label).nth(1).unwrap_or_default().split("\n -").next().unwrap_or_default();
        said.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    Touched { reads: names("- Reads:"), writes: names("- Writes:"), sends_to: names("- Sends to:") }
}
