//! Reads statements by recursive descent.

use std::collections::BTreeSet;

use super::token::{Token, malformed, tokens};
use super::{Returning, Statement, StatementKind};
use crate::error::ServiceError;
use crate::expression::{Comparator, Condition, Operand, Path, SetOperand, Step, Update};
use crate::value::{AttributeValue, Item, Number};

/// Reads a statement.
pub(super) fn parse(text: &str, parameters: Vec<AttributeValue>) -> Result<Statement, ServiceError> {
    let mut parser = Parser { tokens: tokens(text)?, position: 0, parameters: parameters.into_iter() };
    let statement = parser.statement()?;
    if parser.position < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    if parser.parameters.next().is_some() {
        return Err(wrong_number_of_parameters());
    }
    Ok(statement)
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
    parameters: std::vec::IntoIter<AttributeValue>,
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, ServiceError> {
        if self.takes_word("SELECT") {
            return self.select();
        }
        if self.takes_word("INSERT") {
            self.expect_word("INTO")?;
            let table = self.name()?;
            if !self.takes_word("VALUES") {
                self.expect_word("VALUE")?;
            }
            let AttributeValue::M(item) = self.literal()?.ok_or_else(|| self.unexpected())? else {
                return Err(malformed("VALUE"));
            };
            return Ok(Statement { table, kind: StatementKind::Insert { item } });
        }
        if self.takes_word("UPDATE") {
            let table = self.name()?;
            let update = self.update()?;
            let condition = self.filter()?;
            let returning = self.returning()?;
            return Ok(Statement { table, kind: StatementKind::Update { update, condition, returning } });
        }
        if self.takes_word("FROM") {
            // The same as UPDATE, with the key before the clauses.
            let table = self.name()?;
            let condition = self.filter()?;
            let update = self.update()?;
            let returning = self.returning()?;
            return Ok(Statement { table, kind: StatementKind::Update { update, condition, returning } });
        }
        if self.takes_word("EXISTS") {
            self.expect("(")?;
            self.expect_word("SELECT")?;
            let Statement { table, kind } = self.select()?;
            self.expect(")")?;
            let StatementKind::Select { condition, .. } = kind else { return Err(self.unexpected()) };
            return Ok(Statement { table, kind: StatementKind::Check { condition } });
        }
        self.expect_word("DELETE")?;
        self.expect_word("FROM")?;
        let table = self.name()?;
        let condition = self.filter()?;
        let returning = self.returning()?;
        Ok(Statement { table, kind: StatementKind::Delete { condition, returning } })
    }

    fn select(&mut self) -> Result<Statement, ServiceError> {
        let projection = if self.takes("*") { None } else { Some(self.list(Self::path)?) };
        self.expect_word("FROM")?;
        let table = self.name()?;
        let condition = self.filter()?;
        let order = self.order()?;
        Ok(Statement { table, kind: StatementKind::Select { projection, condition, order } })
    }

    fn order(&mut self) -> Result<Vec<(String, bool)>, ServiceError> {
        if !self.takes_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        self.list(|parser| {
            let name = parser.name()?;
            let descends = parser.takes_word("DESC");
            if !descends {
                parser.takes_word("ASC");
            }
            Ok((name, descends))
        })
    }

    fn update(&mut self) -> Result<Update, ServiceError> {
        let mut update = Update::default();
        loop {
            if self.takes_word("SET") {
                update.set.extend(self.list(Self::assignment)?);
            } else if self.takes_word("REMOVE") {
                update.remove.extend(self.list(Self::path)?);
            } else {
                break;
            }
        }
        if update.set.is_empty() && update.remove.is_empty() {
            return Err(self.unexpected());
        }
        update.check_paths()?;
        Ok(update)
    }

    fn filter(&mut self) -> Result<Option<Condition>, ServiceError> {
        if self.takes_word("WHERE") { self.condition().map(Some) } else { Ok(None) }
    }

    fn returning(&mut self) -> Result<Returning, ServiceError> {
        if !self.takes_word("RETURNING") {
            return Ok(Returning::Nothing);
        }
        let all = self.takes_word("ALL");
        if !all {
            self.expect_word("MODIFIED")?;
        }
        let old = self.takes_word("OLD");
        if !old {
            self.expect_word("NEW")?;
        }
        self.expect("*")?;
        Ok(match (all, old) {
            (true, true) => Returning::AllOld,
            (true, false) => Returning::AllNew,
            (false, true) => Returning::ModifiedOld,
            (false, false) => Returning::ModifiedNew,
        })
    }

    fn assignment(&mut self) -> Result<(Path, SetOperand), ServiceError> {
        let path = self.path()?;
        self.expect("=")?;
        let mut operand = self.set_operand()?;
        if self.takes("+") {
            operand = SetOperand::Plus(Box::new(operand), Box::new(self.set_operand()?));
        } else if self.takes("-") {
            operand = SetOperand::Minus(Box::new(operand), Box::new(self.set_operand()?));
        }
        Ok((path, operand))
    }

    fn set_operand(&mut self) -> Result<SetOperand, ServiceError> {
        if let Some(function) = self.function_name() {
            self.position += 2;
            let left = self.set_operand()?;
            self.expect(",")?;
            let right = self.set_operand()?;
            self.expect(")")?;
            let (left, right) = (Box::new(left), Box::new(right));
            return match (function.as_str(), *left) {
                ("list_append", left) => Ok(SetOperand::ListAppend(Box::new(left), right)),
                ("set_add", left) => Ok(SetOperand::SetAdd(Box::new(left), right)),
                ("set_delete", left) => Ok(SetOperand::SetDelete(Box::new(left), right)),
                ("if_not_exists", SetOperand::Path(path)) => Ok(SetOperand::IfNotExists(path, right)),
                _ => Err(malformed(&function)),
            };
        }
        match self.literal()? {
            Some(value) => Ok(SetOperand::Value(value)),
            None => Ok(SetOperand::Path(self.path()?)),
        }
    }

    fn condition(&mut self) -> Result<Condition, ServiceError> {
        let mut condition = self.conjunction()?;
        while self.takes_word("OR") {
            condition = Condition::Or(Box::new(condition), Box::new(self.conjunction()?));
        }
        Ok(condition)
    }

    fn conjunction(&mut self) -> Result<Condition, ServiceError> {
        let mut condition = self.negation()?;
        while self.takes_word("AND") {
            condition = Condition::And(Box::new(condition), Box::new(self.negation()?));
        }
        Ok(condition)
    }

    fn negation(&mut self) -> Result<Condition, ServiceError> {
        if self.takes_word("NOT") {
            return Ok(Condition::Not(Box::new(self.negation()?)));
        }
        if self.takes("(") {
            let condition = self.condition()?;
            self.expect(")")?;
            return Ok(condition);
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Result<Condition, ServiceError> {
        if let Some(function) = self.function_name()
            && function != "size"
        {
            self.position += 2;
            if let Some(condition) = self.existence(&function)? {
                return Ok(condition);
            }
            let left = self.operand()?;
            self.expect(",")?;
            let right = self.operand()?;
            self.expect(")")?;
            return match (function.as_str(), left) {
                ("begins_with", left) => Condition::begins_with(left, right),
                ("contains", left) => Ok(Condition::Contains(left, right)),
                ("attribute_type", Operand::Path(path)) => Ok(Condition::HasType(path, right)),
                _ => Err(malformed(&function)),
            };
        }
        let left = self.operand()?;
        if self.takes_word("IS") {
            return self.is(left);
        }
        if self.takes_word("BETWEEN") {
            let low = self.operand()?;
            self.expect_word("AND")?;
            return Condition::between(left, low, self.operand()?);
        }
        if self.takes_word("IN") {
            let closing = if self.takes("[") { "]" } else { ")" };
            if closing == ")" {
                self.expect("(")?;
            }
            let candidates = self.list(Self::operand)?;
            self.expect(closing)?;
            return Condition::is_in(left, candidates);
        }
        let comparators = [
            ("=", Comparator::Equal),
            ("<>", Comparator::NotEqual),
            ("!=", Comparator::NotEqual),
            ("<", Comparator::Less),
            ("<=", Comparator::LessOrEqual),
            (">", Comparator::Greater),
            (">=", Comparator::GreaterOrEqual),
        ];
        let found = comparators.into_iter().find(|(symbol, _)| self.takes(symbol));
        let (_, comparator) = found.ok_or_else(|| self.unexpected())?;
        Condition::compare(left, comparator, self.operand()?)
    }

    /// Reads the path of a function that asks whether it is there; nothing where the function is another.
    fn existence(&mut self, function: &str) -> Result<Option<Condition>, ServiceError> {
        let condition = match function {
            "attribute_exists" => Condition::Exists(self.path()?),
            "attribute_not_exists" => Condition::NotExists(self.path()?),
            _ => return Ok(None),
        };
        self.expect(")")?;
        Ok(Some(condition))
    }

    fn is(&mut self, operand: Operand) -> Result<Condition, ServiceError> {
        let negated = self.takes_word("NOT");
        let Operand::Path(path) = operand else { return Err(self.unexpected()) };
        let condition = if self.takes_word("MISSING") {
            if negated {
                return Ok(Condition::Exists(path));
            }
            Condition::NotExists(path)
        } else {
            let types = [("NULL", "NULL"), ("BOOL", "BOOL"), ("STRING", "S")];
            let found = types.into_iter().find(|(name, _)| self.takes_word(name));
            let (_, type_name) = found.ok_or_else(|| self.unexpected())?;
            Condition::HasType(path, Operand::Value(AttributeValue::S(type_name.into())))
        };
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn operand(&mut self) -> Result<Operand, ServiceError> {
        if self.function_name().as_deref() == Some("size") {
            self.position += 2;
            let operand = self.operand()?;
            self.expect(")")?;
            return Operand::size_of(operand);
        }
        match self.literal()? {
            Some(value) => Ok(Operand::Value(value)),
            None => Ok(Operand::Path(self.path()?)),
        }
    }

    /// Reads a parameter or a literal, if one comes next.
    fn literal(&mut self) -> Result<Option<AttributeValue>, ServiceError> {
        if self.takes("?") {
            return self.parameters.next().map(Some).ok_or_else(wrong_number_of_parameters);
        }
        if self.takes("{") {
            return self.map().map(AttributeValue::M).map(Some);
        }
        if self.takes("[") {
            return self.elements("]").map(AttributeValue::L).map(Some);
        }
        if self.takes("<<") {
            return self.elements(">>").and_then(set).map(Some);
        }
        let negative = self.takes("-");
        let value = match self.peek().cloned() {
            Some(Token::Number(digits)) => {
                AttributeValue::N(Number::parse(&format!("{}{digits}", if negative { "-" } else { "" }))?)
            }
            _ if negative => return Err(self.unexpected()),
            Some(Token::Text(text)) => AttributeValue::S(text.into()),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => AttributeValue::Bool(true),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => AttributeValue::Bool(false),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => AttributeValue::Null,
            _ => return Ok(None),
        };
        self.position += 1;
        Ok(Some(value))
    }

    fn map(&mut self) -> Result<Item, ServiceError> {
        let mut members = Item::new();
        if self.takes("}") {
            return Ok(members);
        }
        loop {
            let Some(Token::Text(name) | Token::Quoted(name) | Token::Word(name)) = self.peek().cloned()
            else {
                return Err(self.unexpected());
            };
            self.position += 1;
            self.expect(":")?;
            let value = self.literal()?.ok_or_else(|| self.unexpected())?;
            members.insert(name, value);
            if !self.takes(",") {
                self.expect("}")?;
                return Ok(members);
            }
        }
    }

    fn elements(&mut self, closing: &str) -> Result<Vec<AttributeValue>, ServiceError> {
        if self.takes(closing) {
            return Ok(Vec::new());
        }
        let elements = self.list(|parser| parser.literal()?.ok_or_else(|| parser.unexpected()))?;
        self.expect(closing)?;
        Ok(elements)
    }

    fn path(&mut self) -> Result<Path, ServiceError> {
        let root = self.name()?;
        let mut steps = Vec::new();
        loop {
            if self.takes(".") {
                steps.push(Step::Member(self.name()?.into()));
            } else if self.takes("[") {
                let Some(Token::Number(digits)) = self.peek() else { return Err(self.unexpected()) };
                let index = digits.parse().map_err(|_| self.unexpected())?;
                self.position += 1;
                self.expect("]")?;
                steps.push(Step::Element(index));
            } else {
                return Ok(Path { root: root.into(), steps });
            }
        }
    }

    fn name(&mut self) -> Result<String, ServiceError> {
        match self.peek().cloned() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                self.position += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn function_name(&self) -> Option<String> {
        match (self.peek(), self.tokens.get(self.position + 1)) {
            (Some(Token::Word(word)), Some(Token::Symbol("("))) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn list<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, ServiceError>,
    ) -> Result<Vec<T>, ServiceError> {
        let mut elements = vec![read(self)?];
        while self.takes(",") {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let takes = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.position += usize::from(takes);
        takes
    }

    fn takes_word(&mut self, keyword: &str) -> bool {
        let takes = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.position += usize::from(takes);
        takes
    }

    fn expect(&mut self, symbol: &str) -> Result<(), ServiceError> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), ServiceError> {
        if self.takes_word(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> ServiceError {
        malformed(&self.peek().map_or_else(|| "the end".to_owned(), |token| format!("{token:?}")))
    }
}

/// Returns the set of elements that are all texts, all numbers or all bytes.
fn set(elements: Vec<AttributeValue>) -> Result<AttributeValue, ServiceError> {
    let (mut texts, mut numbers, mut bytes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let count = elements.len();
    for element in elements {
        match element {
            AttributeValue::S(text) => _ = texts.insert(text),
            AttributeValue::N(number) => _ = numbers.insert(number),
            AttributeValue::B(content) => _ = bytes.insert(content),
            _ => return Err(malformed("<<")),
        }
    }
    match count {
        0 => Err(malformed("<<>>")),
        _ if texts.len() == count => Ok(AttributeValue::Ss(texts)),
        _ if numbers.len() == count => Ok(AttributeValue::Ns(numbers)),
        _ if bytes.len() == count => Ok(AttributeValue::Bs(bytes)),
        _ => Err(malformed("<<")),
    }
}

fn wrong_number_of_parameters() -> ServiceError {
    ServiceError::validation("Number of parameters in request and statement don't match.")
}
