//! Splits a statement into words, numbers, texts and signs. Whatever belongs in none of them is a token too, so that the first
//! error by position is the one that is reported.

use std::{fmt, iter::Peekable, str::CharIndices};

/// Characters of a token that an error shows.
const SHOWN_CHARS_MAX: usize = 32;

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A keyword or the name of a field.
    Word(&'a str),
    /// As it was written, with its sign and fraction.
    Number(&'a str),
    /// Without its quotes, and one quote for two.
    Text(String),
    /// `* ( ) , = != > <`
    Sign(&'a str),
    /// A text without its closing quote.
    OpenText,
    /// A character that no statement has outside a text.
    Stray(char),
    /// There is nothing more.
    End,
}

/// A token and where it begins, characters from 1.
pub(super) struct Token<'a> {
    pub(super) column: usize,
    pub(super) kind: Kind<'a>,
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Word(text) | Kind::Number(text) | Kind::Sign(text) => write!(f, "`{}`", shortened(text)),
            Kind::Text(text) => write!(f, "'{}'", shortened(text)),
            Kind::OpenText => f.write_str("a text without its closing quote"),
            Kind::Stray(character) => write!(f, "{character:?}"),
            Kind::End => f.write_str("the end"),
        }
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The tokens of a statement, the last of them [`Kind::End`].
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { sql, rest: sql.char_indices().peekable(), column: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.take_while(char::is_whitespace);
        let column = lexer.column;
        let kind = lexer.kind();
        let is_last = kind == Kind::End;
        tokens.push(Token { column, kind });
        if is_last {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    sql: &'a str,
    rest: Peekable<CharIndices<'a>>,
    column: usize,
}

impl<'a> Lexer<'a> {
    fn kind(&mut self) -> Kind<'a> {
        let from = self.at();
        let Some(first) = self.next() else { return Kind::End };
        match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                Kind::Word(self.since(from))
            }
            '0'..='9' => self.number(from),
            '-' if self.peek().is_some_and(|c| c.is_ascii_digit()) => self.number(from),
            '\'' => self.text(),
            '!' if self.peek() == Some('=') => {
                self.next();
                Kind::Sign(self.since(from))
            }
            '*' | '(' | ')' | ',' | '=' | '>' | '<' => Kind::Sign(self.since(from)),
            other => Kind::Stray(other),
        }
    }

    /// Digits, and after one point more of them.
    fn number(&mut self, from: usize) -> Kind<'a> {
        self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            self.next();
            self.take_while(|c| c.is_ascii_digit());
        }
        Kind::Number(self.since(from))
    }

    fn text(&mut self) -> Kind<'a> {
        let mut text = String::new();
        while let Some(character) = self.next() {
            if character != '\'' {
                text.push(character);
            } else if self.peek() == Some('\'') {
                self.next();
                text.push('\'');
            } else {
                return Kind::Text(text);
            }
        }
        Kind::OpenText
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&belongs) {
            self.next();
        }
    }

    fn next(&mut self) -> Option<char> {
        let (_, character) = self.rest.next()?;
        self.column += 1;
        Some(character)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, character)| *character)
    }

    /// Bytes from the beginning.
    fn at(&mut self) -> usize {
        self.rest.peek().map_or(self.sql.len(), |(at, _)| *at)
    }

    fn since(&mut self, from: usize) -> &'a str {
        let to = self.at();
        self.sql.get(from..to).unwrap_or_default()
    }
}
