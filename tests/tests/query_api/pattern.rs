//! As much of regular expressions as schemas use: literals, classes, groups with alternatives, and how often.

/// Returns whether a whole text is what a pattern says.
///
/// # Panics
///
/// If the pattern is none that this knows.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let inner = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'));
    let mut rest =
        inner.unwrap_or_else(|| panic!("{pattern} is not of a whole text")).chars().collect::<Vec<_>>();
    rest.reverse();
    let alternatives = Alternatives::read(&mut rest);
    assert!(rest.is_empty(), "{pattern} closes what it does not open");
    let text: Vec<char> = text.chars().collect();
    alternatives.ends(&text, 0).contains(&text.len())
}

struct Alternatives(Vec<Vec<Part>>);

struct Part {
    unit: Unit,
    least: usize,
    most: usize,
}

enum Unit {
    One(Vec<(char, char)>),
    Group(Alternatives),
}

impl Alternatives {
    /// Reads up to the end of a group, from the end of a reversed pattern.
    fn read(rest: &mut Vec<char>) -> Self {
        let mut all = vec![Vec::new()];
        while let Some(next) = rest.pop() {
            let unit = match next {
                ')' => {
                    rest.push(')');
                    return Self(all);
                }
                '|' => {
                    all.push(Vec::new());
                    continue;
                }
                '(' => {
                    let group = Self::read(rest);
                    assert_eq!(rest.pop(), Some(')'), "a group is closed");
                    Unit::Group(group)
                }
                '[' => Unit::One(class(rest)),
                '\\' => Unit::One(escaped(rest)),
                other => Unit::One(vec![(other, other)]),
            };
            let (least, most) = how_often(rest);
            all.last_mut().expect("one at least").push(Part { unit, least, most });
        }
        Self(all)
    }

    /// Returns where a match that begins at `start` can end.
    fn ends(&self, text: &[char], start: usize) -> Vec<usize> {
        let of_sequence = |parts: &Vec<Part>| {
            parts.iter().fold(vec![start], |places, part| {
                let mut ends: Vec<usize> = places.iter().flat_map(|place| part.ends(text, *place)).collect();
                ends.sort_unstable();
                ends.dedup();
                ends
            })
        };
        self.0.iter().flat_map(of_sequence).collect()
    }
}

impl Part {
    fn ends(&self, text: &[char], start: usize) -> Vec<usize> {
        let mut reached = vec![start];
        let mut ends = if self.least == 0 { vec![start] } else { Vec::new() };
        for times in 1..=self.most {
            reached = reached.iter().flat_map(|place| self.unit.ends(text, *place)).collect();
            if reached.is_empty() {
                break;
            }
            if times >= self.least {
                ends.extend(&reached);
            }
        }
        ends
    }
}

impl Unit {
    fn ends(&self, text: &[char], start: usize) -> Vec<usize> {
        match self {
            Self::Group(group) => group.ends(text, start),
            Self::One(ranges) => {
                let fits =
                    |letter: &char| ranges.iter().any(|(first, last)| (first..=last).contains(&letter));
                text.get(start).filter(|letter| fits(letter)).map(|_| start + 1).into_iter().collect()
            }
        }
    }
}

fn escaped(rest: &mut Vec<char>) -> Vec<(char, char)> {
    match rest.pop().expect("something is escaped") {
        'd' => vec![('0', '9')],
        other => vec![(other, other)],
    }
}

fn class(rest: &mut Vec<char>) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    loop {
        match rest.pop().expect("a class is closed") {
            ']' => return ranges,
            '\\' => ranges.extend(escaped(rest)),
            first if rest.len() > 1 && rest[rest.len() - 1] == '-' && rest[rest.len() - 2] != ']' => {
                rest.pop();
                ranges.push((first, rest.pop().expect("the end of a range")));
            }
            one => ranges.push((one, one)),
        }
    }
}

/// Reads how often a part may come; once where nothing is said.
fn how_often(rest: &mut Vec<char>) -> (usize, usize) {
    let many = 1_000;
    let often = match rest.last() {
        Some('?') => (0, 1),
        Some('*') => (0, many),
        Some('+') => (1, many),
        Some('{') => {
            let mut bounds = String::new();
            rest.pop();
            while *rest.last().expect("a bound is closed") != '}' {
                bounds.extend(rest.pop());
            }
            let (least, most) = bounds.split_once(',').unwrap_or((&bounds, &bounds));
            let number = |text: &str| text.parse().expect("a bound is a number");
            (number(least), number(most))
        }
        _ => return (1, 1),
    };
    rest.pop();
    often
}

#[test]
fn patterns_take_what_they_say_and_nothing_else() {
    for (pattern, good, bad) in [
        ("^[a-z0-9-]{1,4}$", vec!["a", "a-9z", "----"], vec!["", "A", "abcde", "a_b"]),
        (r"^-?[0-9]{1,3}\.[0-9]{2}$", vec!["-1.23", "999.00"], vec!["1.2", "1.234", "1x23", "--1.23"]),
        ("^[0-9]{1,2}(-[0-9]+)?$", vec!["1", "12-345"], vec!["-1", "1-", "123"]),
        ("^(A|B:[0-9]*|)$", vec!["A", "B:", "B:12", ""], vec!["B", "AB:"]),
        (r"^\d{2}x$", vec!["12x"], vec!["1x", "12"]),
    ] {
        assert!(good.iter().all(|text| matches(pattern, text)), "{pattern} takes {good:?}");
        assert!(!bad.iter().any(|text| matches(pattern, text)), "{pattern} takes none of {bad:?}");
    }
}
