//! The SQL of SearchDevices: one `select` over the devices of an instance.
//!
//! The job: [`parse`] reads a text into a [`Statement`], which prints as the same statement again. Does not run it, and does not
//! know whether a value can exist: the API makes conditions of it, and the directory finds what meets them.
//!
//! The trust boundary: the text is any caller's. Invariant: whatever it is, the result is a statement within every limit of
//! `statement` or an error that says where and what was expected.
//!
//! Read `statement`, then `lexer` and `parser`.

mod lexer;
mod parser;
mod statement;

pub use parser::parse;
pub use statement::{
    CONDITIONS_MAX, Comparison, Field, OFFSET_MAX, Operator, Order, PREFIX_CHARS_MIN, ROWS_DEFAULT, ROWS_MAX, SQL_CHARS_MAX,
    Select, SqlError, Statement,
};

#[cfg(test)]
mod tests;
