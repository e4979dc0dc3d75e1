//! Reads expressions by recursive descent.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Comparator, Condition, Operand};
use super::path::{Path, Step};
use super::shape::{check_operators_of_condition, check_operators_of_update, refuse_redundant_parentheses};
use super::token::{Token, syntax_error, tokens};
use super::update::{SetOperand, Update};
use crate::error::ServiceError;
use crate::value::AttributeValue;

const MAX_EXPRESSION_BYTES: usize = 4096;

/// The names and values that the expressions of a request refer to.
#[derive(Clone, Debug, Default)]
pub struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
    used: BTreeSet<String>,
}

impl Placeholders {
    /// Returns placeholders none of which is used yet.
    #[must_use]
    pub fn new(names: BTreeMap<String, String>, values: BTreeMap<String, AttributeValue>) -> Self {
        Self { names, values, used: BTreeSet::new() }
    }

    /// Refuses a request whose expressions left a placeholder unused.
    pub fn all_used(&self) -> Result<(), ServiceError> {
        match self.names.keys().chain(self.values.keys()).find(|key| !self.used.contains(*key)) {
            None => Ok(()),
            Some(unused) => Err(ServiceError::validation(format!(
                "Value provided in ExpressionAttributeNames or ExpressionAttributeValues unused in expressions: {unused}"
            ))),
        }
    }

    fn name(&mut self, reference: &str) -> Result<String, ServiceError> {
        self.used.insert(reference.to_owned());
        self.names.get(reference).cloned().ok_or_else(|| undefined("name", reference))
    }

    fn value(&mut self, reference: &str) -> Result<AttributeValue, ServiceError> {
        self.used.insert(reference.to_owned());
        self.values.get(reference).cloned().ok_or_else(|| undefined("value", reference))
    }
}

fn undefined(what: &str, reference: &str) -> ServiceError {
    ServiceError::validation(format!(
        "Invalid expression: An expression attribute {what} used in expression is not defined; attribute {what}: {reference}"
    ))
}

/// A reader of one expression.
pub struct Parser<'request> {
    tokens: Vec<Token>,
    position: usize,
    placeholders: &'request mut Placeholders,
}

impl<'request> Parser<'request> {
    /// Returns a reader at the beginning of an expression.
    pub fn new(text: &str, placeholders: &'request mut Placeholders) -> Result<Self, ServiceError> {
        if text.trim().is_empty() {
            return Err(ServiceError::validation("Invalid expression: The expression can not be empty;"));
        }
        if text.len() > MAX_EXPRESSION_BYTES {
            return Err(ServiceError::validation(
                "Invalid expression: Expression size has exceeded the maximum",
            ));
        }
        let tokens = tokens(text)?;
        refuse_redundant_parentheses(&tokens)?;
        Ok(Self { tokens, position: 0, placeholders })
    }

    /// Refuses an expression that goes on.
    pub fn end(&self) -> Result<(), ServiceError> {
        if self.position == self.tokens.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Reads a whole condition.
    pub fn whole_condition(&mut self) -> Result<Condition, ServiceError> {
        check_operators_of_condition(&self.tokens)?;
        self.condition()
    }

    fn condition(&mut self) -> Result<Condition, ServiceError> {
        let mut condition = self.conjunction()?;
        while self.takes_word("OR") {
            condition = Condition::Or(Box::new(condition), Box::new(self.conjunction()?));
        }
        Ok(condition)
    }

    /// Reads paths that commas separate.
    pub fn paths(&mut self) -> Result<Vec<Path>, ServiceError> {
        self.list(Self::path)
    }

    /// Reads the clauses of an update.
    pub fn update(&mut self) -> Result<Update, ServiceError> {
        check_operators_of_update(&self.tokens)?;
        let mut update = Update::default();
        let mut seen = BTreeSet::new();
        while let Some(Token::Word(word)) = self.peek().cloned() {
            let clause = word.to_ascii_uppercase();
            if !seen.insert(clause.clone()) {
                return Err(ServiceError::validation(format!(
                    "Invalid UpdateExpression: The \"{clause}\" section can only be used once in an update expression;"
                )));
            }
            self.position += 1;
            match clause.as_str() {
                "SET" => update.set = self.list(Self::assignment)?,
                "REMOVE" => update.remove = self.list(Self::path)?,
                "ADD" => update.add = self.list(Self::path_and_value)?,
                "DELETE" => update.delete = self.list(Self::path_and_value)?,
                _ => return Err(syntax_error(&word)),
            }
        }
        Ok(update)
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
        self.primary()
    }

    fn primary(&mut self) -> Result<Condition, ServiceError> {
        if let Some(condition) = self.parenthesized() {
            return Ok(condition);
        }
        if let Some(function) = self.function_name()
            && function != "size"
        {
            self.position += 2;
            let condition = self.function(&function)?;
            self.expect(")")?;
            return Ok(condition);
        }
        let left = self.operand()?;
        if self.takes_word("BETWEEN") {
            let low = self.operand()?;
            if !self.takes_word("AND") {
                return Err(self.unexpected());
            }
            let high = self.operand()?;
            refuse_repeated(&left, &[&low, &high])?;
            return Condition::between(left, low, high);
        }
        if self.takes_word("IN") {
            self.expect("(")?;
            let candidates = self.list(Self::operand)?;
            self.expect(")")?;
            refuse_repeated(&left, &candidates.iter().collect::<Vec<_>>())?;
            return Condition::is_in(left, candidates);
        }
        let comparator = self.comparator()?;
        let right = self.operand()?;
        refuse_repeated(&left, &[&right])?;
        Condition::compare(left, comparator, right)
    }

    /// Reads a condition in parentheses, if there is one; what is in them may also be an operand.
    fn parenthesized(&mut self) -> Option<Condition> {
        let begin = self.position;
        let condition = if self.takes("(") { self.condition().ok() } else { None };
        let closed = condition.filter(|_| self.takes(")"));
        if closed.is_none() {
            self.position = begin;
        }
        closed
    }

    fn function(&mut self, name: &str) -> Result<Condition, ServiceError> {
        Ok(match name {
            "attribute_exists" => Condition::Exists(self.path()?),
            "attribute_not_exists" => Condition::NotExists(self.path()?),
            "attribute_type" => {
                let path = self.path()?;
                self.expect(",")?;
                Condition::HasType(path, self.type_name()?)
            }
            "begins_with" => {
                let value = self.operand()?;
                self.expect(",")?;
                let prefix = self.operand()?;
                refuse_repeated(&value, &[&prefix])?;
                Condition::begins_with(value, prefix)?
            }
            "contains" => {
                let value = self.operand()?;
                self.expect(",")?;
                let part = self.operand()?;
                refuse_repeated(&value, &[&part])?;
                Condition::Contains(value, part)
            }
            _ => {
                return Err(ServiceError::validation(format!(
                    "Invalid expression: Invalid function name; function: {name}"
                )));
            }
        })
    }

    fn type_name(&mut self) -> Result<Operand, ServiceError> {
        let operand = self.operand()?;
        let known = ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"];
        match &operand {
            Operand::Value(AttributeValue::S(name)) if known.contains(&name.as_str()) => Ok(operand),
            _ => Err(ServiceError::validation("Invalid expression: Invalid attribute type name found")),
        }
    }

    fn comparator(&mut self) -> Result<Comparator, ServiceError> {
        let comparators = [
            ("=", Comparator::Equal),
            ("<>", Comparator::NotEqual),
            ("<", Comparator::Less),
            ("<=", Comparator::LessOrEqual),
            (">", Comparator::Greater),
            (">=", Comparator::GreaterOrEqual),
        ];
        match comparators.into_iter().find(|(symbol, _)| self.takes(symbol)) {
            Some((_, comparator)) => Ok(comparator),
            None => Err(self.unexpected()),
        }
    }

    fn operand(&mut self) -> Result<Operand, ServiceError> {
        if self.takes("(") {
            let operand = self.operand()?;
            self.expect(")")?;
            return Ok(operand);
        }
        if self.function_name().as_deref() == Some("size") {
            self.position += 2;
            let operand = self.operand()?;
            self.expect(")")?;
            return Operand::size_of(operand);
        }
        if let Some(value) = self.value()? {
            return Ok(Operand::Value(value));
        }
        Ok(Operand::Path(self.path()?))
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
        if self.takes("(") {
            let operand = self.set_operand()?;
            self.expect(")")?;
            return Ok(operand);
        }
        match self.function_name().as_deref() {
            Some("if_not_exists") => {
                self.position += 2;
                let path = self.path()?;
                self.expect(",")?;
                let otherwise = self.set_operand()?;
                self.expect(")")?;
                SetOperand::if_not_exists(path, otherwise)
            }
            Some("list_append") => {
                self.position += 2;
                let left = self.set_operand()?;
                self.expect(",")?;
                let right = self.set_operand()?;
                self.expect(")")?;
                Ok(SetOperand::ListAppend(Box::new(left), Box::new(right)))
            }
            Some(other) => Err(ServiceError::validation(format!(
                "Invalid UpdateExpression: Invalid function name; function: {other}"
            ))),
            None => match self.value()? {
                Some(value) => Ok(SetOperand::Value(value)),
                None => Ok(SetOperand::Path(self.path()?)),
            },
        }
    }

    fn path_and_value(&mut self) -> Result<(Path, AttributeValue), ServiceError> {
        let path = self.path()?;
        let value = self.value()?.ok_or_else(|| self.unexpected())?;
        Ok((path, value))
    }

    fn path(&mut self) -> Result<Path, ServiceError> {
        let root = self.name()?;
        let mut steps = Vec::new();
        loop {
            if self.takes(".") {
                steps.push(Step::Member(self.name()?.into()));
            } else if self.takes("[") {
                let Some(Token::Index(index)) = self.peek() else { return Err(self.unexpected()) };
                steps.push(Step::Element(*index));
                self.position += 1;
                self.expect("]")?;
            } else {
                return Ok(Path { root: root.into(), steps });
            }
        }
    }

    fn name(&mut self) -> Result<String, ServiceError> {
        let name = match self.peek().cloned() {
            Some(Token::Word(word)) => word,
            Some(Token::NameReference(reference)) => self.placeholders.name(&reference)?,
            _ => return Err(self.unexpected()),
        };
        self.position += 1;
        Ok(name)
    }

    fn value(&mut self) -> Result<Option<AttributeValue>, ServiceError> {
        let Some(Token::ValueReference(reference)) = self.peek().cloned() else { return Ok(None) };
        self.position += 1;
        self.placeholders.value(&reference).map(Some)
    }

    fn function_name(&self) -> Option<String> {
        match (self.peek(), self.tokens.get(self.position + 1)) {
            (Some(Token::Word(word)), Some(Token::Symbol("("))) => Some(word.clone()),
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

    fn unexpected(&self) -> ServiceError {
        syntax_error(&self.peek().map_or_else(|| "<EOF>".to_owned(), |token| format!("{token:?}")))
    }
}

/// Refuses a path that an operator or a function compares with itself.
fn refuse_repeated(first: &Operand, others: &[&Operand]) -> Result<(), ServiceError> {
    match first {
        Operand::Path(path) if others.contains(&first) => Err(ServiceError::validation(format!(
            "Invalid expression: The first operand must be distinct from the remaining operands for this operator or function; first operand: [{path}]"
        ))),
        _ => Ok(()),
    }
}
