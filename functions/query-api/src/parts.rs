//! Reads an account's lines in parts: sums of many lines where sums are enough, and the lines where they are wanted.
//!
//! Touches: `Ledger` (reads).

use std::collections::BTreeMap;

use domain::Owner;
use domain::heads::{Book, Line, Totals};
use store::Engine;
use store::books::{self, Node, Stored};
use store::heads::AccountHead;

use crate::problem::Problem;

/// All lines of an account, each either in a book or as it is.
pub(crate) struct Parts<'a> {
    engine: &'a dyn Engine,
    owner: &'a Owner,
    /// Sums of lines that were not read.
    pub(crate) books: BTreeMap<Node, Book>,
    /// Lines that were read, by the number of their page. The head's recent lines are the last page.
    pub(crate) pages: BTreeMap<u32, Vec<Line>>,
}

impl<'a> Parts<'a> {
    /// Returns the lines of an account in the fewest parts that there are.
    pub(crate) async fn read(
        engine: &'a dyn Engine,
        owner: &'a Owner,
        head: &AccountHead,
    ) -> Result<Self, Problem> {
        let lines = &head.money.lines;
        let pages = BTreeMap::from([(lines.pages, lines.recent.clone())]);
        let mut parts = Self { engine, owner, books: BTreeMap::new(), pages };
        parts.add(Node::cover(lines.pages)).await?;
        parts.check(head)?;
        Ok(parts)
    }

    /// Puts the parts that these books sum up in the place of the books.
    pub(crate) async fn open(&mut self, nodes: &[Node]) -> Result<(), Problem> {
        for node in nodes {
            self.books.remove(node);
        }
        self.add(nodes.iter().flat_map(|node| node.children()).collect()).await
    }

    /// Reads what stands at these nodes; where there is no book, what stands below it.
    async fn add(&mut self, mut nodes: Vec<Node>) -> Result<(), Problem> {
        while !nodes.is_empty() {
            let mut found = books::read(self.engine, self.owner, nodes.clone()).await?;
            let mut below = Vec::new();
            for node in nodes {
                match found.remove(&node) {
                    Some(Stored::Book(book)) => drop(self.books.insert(node, book)),
                    Some(Stored::Page(page)) => drop(self.pages.insert(node.first_page(), page.lines)),
                    None if node.is_page() => {
                        let owner = self.owner;
                        return Err(Problem::inconsistent(format!("a page of lines of {owner} is missing")));
                    }
                    None => below.extend(node.children()),
                }
            }
            nodes = below;
        }
        Ok(())
    }

    /// Checks that the parts add up to what the head says.
    fn check(&self, head: &AccountHead) -> Result<(), Problem> {
        let mut totals = Totals::default();
        let mut count = 0;
        for sum in self.books.values().flat_map(|book| book.sums.values()) {
            totals = totals.plus(&sum.totals)?;
            count += sum.lines;
        }
        for line in self.pages.values().flatten() {
            totals.add(line)?;
            count += 1;
        }
        if totals == head.money.totals && count == head.money.lines.count {
            return Ok(());
        }
        Err(Problem::inconsistent(format!("the lines of {} do not add up to its head", self.owner)))
    }
}
