//! Reads tokens into a statement, by descent: a function for each clause, none of which calls itself.

use crate::{
    lexer::{Kind, Token, tokens},
    statement::{
        CONDITIONS_MAX, Comparison, Field, OFFSET_MAX, Operator, Order, PREFIX_CHARS_MIN, ROWS_DEFAULT, ROWS_MAX,
        SQL_CHARS_MAX, Select, SqlError, Statement,
    },
};

/// Reads a statement. Keywords and names of fields in any case.
///
/// # Errors
/// [`SqlError`].
pub fn parse(sql: &str) -> Result<Statement, SqlError> {
    let characters = sql.chars().count();
    if characters > SQL_CHARS_MAX {
        return Err(SqlError::TooLong { characters });
    }
    let tokens = tokens(sql);
    let mut parser = Parser { tokens: &tokens, at: 0 };
    parser.keyword("select")?;
    let select = parser.select()?;
    parser.keyword("from")?;
    parser.keyword("device")?;
    let any_of = if parser.took("where") { parser.conditions()? } else { Vec::new() };
    let order = if parser.took("order") { parser.order()? } else { Order::Descending };
    let is_limited = parser.took("limit");
    let (offset, limit) = if is_limited { parser.limit()? } else { (0, ROWS_DEFAULT) };
    if *parser.kind() == Kind::End {
        return Ok(Statement { select, any_of, order, offset, limit });
    }
    Err(parser.unexpected(match is_limited {
        true => "the end of the statement",
        false => "`where`, `and`, `or`, `order by`, `limit` or the end of the statement",
    }))
}

fn is_keyword(kind: &Kind<'_>, keyword: &str) -> bool {
    matches!(kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
}

struct Parser<'a> {
    /// The last is [`Kind::End`], and nothing steps over it.
    tokens: &'a [Token<'a>],
    at: usize,
}

impl<'a> Parser<'a> {
    fn select(&mut self) -> Result<Select, SqlError> {
        if self.took_sign("*") {
            return Ok(Select::Everything);
        }
        if self.took("count") {
            self.sign("(")?;
            let is_all = self.took_sign("*") || self.took_one();
            if !is_all {
                return Err(self.unexpected("`*` or `1`"));
            }
            self.sign(")")?;
            return Ok(Select::Count);
        }
        let mut fields = vec![self.field("`*`, `count(*)` or a field")?];
        while self.took_sign(",") {
            fields.push(self.field("a field")?);
        }
        Ok(Select::Fields(fields))
    }

    fn conditions(&mut self) -> Result<Vec<Vec<Comparison>>, SqlError> {
        let (mut any_of, mut group, mut count) = (Vec::new(), Vec::new(), 0);
        loop {
            if count == CONDITIONS_MAX {
                return Err(self.unexpected(&format!("no more than {CONDITIONS_MAX} conditions")));
            }
            group.push(self.comparison()?);
            count += 1;
            if self.took("and") {
                continue;
            }
            any_of.push(std::mem::take(&mut group));
            if !self.took("or") {
                return Ok(any_of);
            }
        }
    }

    fn comparison(&mut self) -> Result<Comparison, SqlError> {
        let field = self.field("a field")?;
        let operator = if self.took_sign("=") {
            Operator::Equals(self.value()?)
        } else if self.took_sign("!=") {
            Operator::NotEquals(self.value()?)
        } else if field.is_ordered() && self.took_sign(">") {
            Operator::GreaterThan(self.value()?)
        } else if field.is_ordered() && self.took_sign("<") {
            Operator::LessThan(self.value()?)
        } else if field.has_prefixes() && self.took("like") {
            Operator::StartsWith(self.prefix()?)
        } else if field.is_listed() && self.took("in") {
            Operator::In(self.list()?)
        } else if field.is_listed() && self.took("not") {
            self.keyword("in")?;
            Operator::NotIn(self.list()?)
        } else {
            return Err(self.unexpected(&operators_of(field)));
        };
        Ok(Comparison { field, operator })
    }

    fn value(&mut self) -> Result<String, SqlError> {
        let value = match self.kind() {
            Kind::Text(text) => text.clone(),
            Kind::Number(number) => (*number).to_owned(),
            Kind::Word(_) | Kind::Sign(_) | Kind::OpenText | Kind::Stray(_) | Kind::End => {
                return Err(self.unexpected("a number, or a text in single quotes"));
            }
        };
        self.step();
        Ok(value)
    }

    fn prefix(&mut self) -> Result<String, SqlError> {
        let prefix = match self.kind() {
            Kind::Text(text) => text.strip_suffix('%'),
            Kind::Word(_) | Kind::Number(_) | Kind::Sign(_) | Kind::OpenText | Kind::Stray(_) | Kind::End => None,
        };
        match prefix {
            Some(prefix) if prefix.chars().count() >= PREFIX_CHARS_MIN && !prefix.contains('%') => {
                let prefix = prefix.to_owned();
                self.step();
                Ok(prefix)
            }
            _ => Err(self.unexpected(&format!("a text of at least {PREFIX_CHARS_MIN} characters and one % at its end"))),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, SqlError> {
        self.sign("(")?;
        let mut values = vec![self.value()?];
        while self.took_sign(",") {
            values.push(self.value()?);
        }
        if !self.took_sign(")") {
            return Err(self.unexpected("`,` or `)`"));
        }
        Ok(values)
    }

    /// After `order`. Without a direction it is ascending, as in SQL.
    fn order(&mut self) -> Result<Order, SqlError> {
        self.keyword("by")?;
        self.keyword("marker")?;
        if self.took("desc") {
            return Ok(Order::Descending);
        }
        self.took("asc");
        Ok(Order::Ascending)
    }

    /// After `limit`: offset and rows.
    fn limit(&mut self) -> Result<(u32, u32), SqlError> {
        // Which of the two the first number is, the comma says.
        let is_offset = self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Sign(","));
        let offset = if is_offset { self.whole_number(0, OFFSET_MAX, "an offset")? } else { 0 };
        if is_offset {
            self.sign(",")?;
        }
        Ok((offset, self.whole_number(1, ROWS_MAX, "a number of rows")?))
    }

    fn whole_number(&mut self, min: u32, max: u32, what: &str) -> Result<u32, SqlError> {
        let number = match self.kind() {
            Kind::Number(digits) => digits.parse::<u32>().ok(),
            Kind::Word(_) | Kind::Text(_) | Kind::Sign(_) | Kind::OpenText | Kind::Stray(_) | Kind::End => None,
        };
        let Some(number) = number.filter(|number| (min..=max).contains(number)) else {
            return Err(self.unexpected(&format!("{what} from {min} to {max}")));
        };
        self.step();
        Ok(number)
    }

    fn field(&mut self, expected: &str) -> Result<Field, SqlError> {
        let field = match self.kind() {
            Kind::Word(name) => Field::of(name),
            Kind::Number(_) | Kind::Text(_) | Kind::Sign(_) | Kind::OpenText | Kind::Stray(_) | Kind::End => None,
        };
        let Some(field) = field else {
            let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
            return Err(self.unexpected(&format!("{expected} ({})", names.join(", "))));
        };
        self.step();
        Ok(field)
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), SqlError> {
        if self.took(keyword) { Ok(()) } else { Err(self.unexpected(&format!("`{keyword}`"))) }
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), SqlError> {
        if self.took_sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn took(&mut self, keyword: &str) -> bool {
        let is_there = is_keyword(self.kind(), keyword);
        self.step_if(is_there)
    }

    fn took_sign(&mut self, sign: &'static str) -> bool {
        let is_there = *self.kind() == Kind::Sign(sign);
        self.step_if(is_there)
    }

    fn took_one(&mut self) -> bool {
        let is_there = *self.kind() == Kind::Number("1");
        self.step_if(is_there)
    }

    fn step_if(&mut self, is_there: bool) -> bool {
        if is_there {
            self.step();
        }
        is_there
    }

    /// To the next token; never past the last.
    fn step(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len().saturating_sub(1));
    }

    fn kind(&self) -> &'a Kind<'a> {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn unexpected(&self, expected: &str) -> SqlError {
        let column = self.tokens.get(self.at).map_or(1, |token| token.column);
        SqlError::Unexpected { column, expected: expected.to_owned(), found: self.kind().to_string() }
    }
}

fn operators_of(field: Field) -> String {
    let operators = [
        (true, "`=`, `!=`"),
        (field.is_ordered(), "`>`, `<`"),
        (field.has_prefixes(), "`like`"),
        (field.is_listed(), "`in`, `not in`"),
    ];
    let allowed: Vec<&str> = operators.iter().filter(|(allowed, _)| *allowed).map(|(_, names)| *names).collect();
    format!("an operator that {field} has ({})", allowed.join(", "))
}
