//! Modules that import in one direction.

use std::collections::BTreeSet;

use watch::{Manifest, Modules, Repository};

#[test]
fn no_module_of_a_library_imports_itself_through_others() {
    let repository = Repository::read();
    let mut checked = 0;
    let mut circles = BTreeSet::new();
    let mut imports = Vec::new();
    for manifest in Manifest::all(&repository) {
        if !repository.has(&format!("{}/src/lib.rs", manifest.folder)) {
            continue;
        }
        let modules = Modules::of_library(&repository, &manifest.folder);
        checked += modules.imports().len();
        for circle in modules.circles() {
            for (from, to) in modules.imports() {
                if circle.contains(&from) {
                    let inside: Vec<_> = to.intersection(&circle).cloned().collect();
                    imports.push(format!("{}: {from} imports {}", manifest.name, inside.join(", ")));
                }
            }
            circles.insert(format!(
                "{}: {}",
                manifest.name,
                circle.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
    }
    assert!(checked > 200, "only {checked} modules were found");
    assert_eq!(circles, BTreeSet::<String>::new(), "\n{}", imports.join("\n"));
}
