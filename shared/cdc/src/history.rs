//! What is kept of the versions of a row of one kind.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::column::{Alias, Cell, Cells, Column};
use super::version::SourceVersion;

/// The versions of a row that still say something: the newest, and of older ones the columns that no newer
/// one names.
///
/// Each column is in the newest version that names it and in no other, so that the order in which versions
/// arrive makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// Newest first. The first is the newest version of all, with or without columns.
    #[serde(rename = "l")]
    layers: Vec<Layer>,
    /// The row's last insert or delete: what is older names no column any more.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    floor: Option<SourceVersion>,
}

/// A version and the columns that it is the newest to name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Layer {
    #[serde(rename = "v")]
    version: SourceVersion,
    #[serde(rename = "c", default, skip_serializing_if = "Cells::is_empty")]
    cells: Cells,
}

impl Layer {
    /// Takes in what a record at the same place says: mostly the same. Of two values one stays, whichever comes first.
    fn agree_with(&mut self, cells: &Cells) {
        for (alias, cell) in cells {
            let kept = self.cells.entry(*alias).or_insert_with(|| cell.clone());
            if cell > kept {
                kept.clone_from(cell);
            }
        }
    }
}

/// Returns how two versions of one kind compare.
pub(crate) type Compare = fn(&SourceVersion, &SourceVersion) -> Ordering;

impl History {
    /// Returns the history of one version.
    pub(crate) fn of(version: SourceVersion, cells: Cells, begins: bool) -> Self {
        let floor = begins.then(|| version.clone());
        Self { layers: vec![Layer { version, cells }], floor }
    }

    /// Returns the newest version.
    pub(crate) fn newest(&self) -> &SourceVersion {
        &self.layers.first().expect("a history begins with a version and keeps the newest").version
    }

    /// Returns the row's last insert or delete, if it is known.
    pub(crate) fn floor(&self) -> Option<&SourceVersion> {
        self.floor.as_ref()
    }

    /// Returns the newest version that names a column, and what it says.
    pub(crate) fn cell(&self, alias: Alias) -> Option<(&SourceVersion, &Cell)> {
        self.layers.iter().find_map(|layer| Some((&layer.version, layer.cells.get(&alias)?)))
    }

    /// Returns the names under which a column is known.
    pub(crate) fn aliases(&self, column: Column) -> impl Iterator<Item = u8> {
        let aliases = self.layers.iter().flat_map(|layer| layer.cells.keys());
        aliases.filter(move |alias| alias.column == column).map(|alias| alias.number)
    }

    /// Adds a version. `begins` says whether nothing older names a column of the row any more.
    pub(crate) fn add(&mut self, version: &SourceVersion, mut cells: Cells, begins: bool, compare: Compare) {
        if begins && self.floor.as_ref().is_none_or(|floor| compare(version, floor).is_gt()) {
            self.floor = Some(version.clone());
        }
        let is_newest = compare(version, self.newest()).is_gt();
        let mut is_known = false;
        for layer in &mut self.layers {
            match compare(&layer.version, version) {
                Ordering::Greater => cells.retain(|alias, _| !layer.cells.contains_key(alias)),
                Ordering::Less => layer.cells.retain(|alias, _| !cells.contains_key(alias)),
                Ordering::Equal => {
                    layer.agree_with(&cells);
                    is_known = true;
                }
            }
        }
        if !is_known && (is_newest || !cells.is_empty()) {
            self.layers.push(Layer { version: version.clone(), cells });
            self.layers.sort_by(|one, other| compare(&other.version, &one.version));
        }
        if let Some(floor) = &self.floor {
            let is_in_force = |version: &SourceVersion| compare(version, floor).is_ge();
            self.layers
                .iter_mut()
                .filter(|layer| !is_in_force(&layer.version))
                .for_each(|layer| layer.cells.clear());
        }
        let mut is_first = true;
        self.layers.retain(|layer| std::mem::replace(&mut is_first, false) || !layer.cells.is_empty());
    }

    /// Returns whether a record of the newest change says something else than what is known of it.
    pub(crate) fn contradicts(&self, version: &SourceVersion, cells: &Cells) -> bool {
        let is_of_same_change = |known: &SourceVersion| known == version || known.is_repeat_of(version);
        let of_same_change = self.layers.iter().filter(|layer| is_of_same_change(&layer.version));
        of_same_change
            .flat_map(|layer| &layer.cells)
            .any(|(alias, cell)| cells.get(alias).is_some_and(|other| other != cell))
    }
}
