//! What is a statement, what is not and where it goes wrong, and that printing and parsing are each other's inverse.

use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_assume, prop_oneof, proptest};

use super::*;

fn equals(field: Field, value: &str) -> Comparison {
    Comparison { field, operator: Operator::Equals(value.into()) }
}

fn parsed(sql: &str) -> Statement {
    parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn condition(sql: &str) -> Operator {
    let statement = parsed(&format!("select * from device where {sql}"));
    statement.any_of.into_iter().flatten().next().expect("a condition").operator
}

#[test]
fn the_shortest_statement_has_defaults() {
    let expected =
        Statement { select: Select::Everything, any_of: vec![], order: Order::Descending, offset: 0, limit: ROWS_DEFAULT };
    assert_eq!(parsed("select * from device"), expected);
    assert_eq!(parsed("  SELECT\t*\nFrom DEVICE "), expected);
}

#[test]
fn every_clause_is_read() {
    let sql = "select device_id, NODE_ID from device where status = 'ONLINE' and product_id = 'p1' or node_id = 'n''1' \
               order by marker asc limit 20,50";
    let expected = Statement {
        select: Select::Fields(vec![Field::DeviceId, Field::NodeId]),
        any_of: vec![
            vec![equals(Field::Status, "ONLINE"), equals(Field::ProductId, "p1")],
            vec![equals(Field::NodeId, "n'1")],
        ],
        order: Order::Ascending,
        offset: 20,
        limit: 50,
    };
    assert_eq!(parsed(sql), expected);
    for count in ["select count(*) from device", "select COUNT ( 1 ) from device"] {
        assert_eq!(parsed(count).select, Select::Count);
    }
    let limited = |sql: &str| (parsed(sql).offset, parsed(sql).limit);
    assert_eq!(limited("select * from device where device_id = 'as' limit 0,5"), (0, 5));
    assert_eq!(limited("select * from device limit 500 , 1"), (500, 1));
    assert_eq!(limited("select * from device limit 7"), (0, 7));
    assert_eq!(parsed("select * from device order by marker").order, Order::Ascending);
    assert_eq!(parsed("select * from device order by marker DESC").order, Order::Descending);
}

#[test]
fn every_operator_is_read() {
    let texts = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    assert_eq!(condition("status!='FROZEN'"), Operator::NotEquals("FROZEN".into()));
    assert_eq!(condition("create_time>1767323045000"), Operator::GreaterThan("1767323045000".into()));
    assert_eq!(condition("marker < 'ff'"), Operator::LessThan("ff".into()));
    assert_eq!(condition("create_time > -1.5"), Operator::GreaterThan("-1.5".into()));
    assert_eq!(condition("node_id LIKE 'Gw_0%'"), Operator::StartsWith("Gw_0".into()));
    let four = "\u{7535}\u{673a}\u{6c49}\u{5b57}";
    assert_eq!(condition(&format!("device_name like '{four}%'")), Operator::StartsWith(four.into()));
    assert_eq!(condition("app_id in ('a', 'b')"), Operator::In(texts(&["a", "b"])));
    assert_eq!(condition("group_id Not In(1)"), Operator::NotIn(texts(&["1"])));
    assert_eq!(condition("device_name = ''"), Operator::Equals(String::new()));
    assert_eq!(condition("device_name = 'and or limit ('"), Operator::Equals("and or limit (".into()));
}

#[test]
fn errors_say_where_and_what_was_expected() {
    for (sql, column, expected) in [
        ("", 1, "`select`"),
        ("delete from device", 1, "`select`"),
        ("select from device", 8, "a field"),
        ("select secret from device", 8, "device_id"),
        ("select count(2) from device", 14, "`*` or `1`"),
        ("select device_id, from device", 19, "a field"),
        ("select * from devices", 15, "`device`"),
        ("select * from device where", 27, "a field"),
        ("select * from device where (status = 'a')", 28, "a field"),
        ("select * from device where password = 'a'", 28, "a field"),
        ("select * from device where status > 'a'", 35, "`=`, `!=`, `in`, `not in`"),
        ("select * from device where device_id like 'abcd%'", 38, "an operator that device_id has"),
        ("select * from device where tag_key in ('a')", 36, "`=`, `!=`, `like`"),
        ("select * from device where marker >= 'a'", 36, "a number, or a text"),
        ("select * from device where status = ONLINE", 37, "a number, or a text"),
        ("select * from device where status = 'ONLINE", 37, "a number, or a text"),
        ("select * from device where node_id like 'abc%'", 41, "at least 4"),
        ("select * from device where node_id like 'abcde'", 41, "one % at its end"),
        ("select * from device where node_id like '%bcde%'", 41, "one % at its end"),
        ("select * from device where app_id in ()", 39, "a number, or a text"),
        ("select * from device where app_id in ('a'", 42, "`,` or `)`"),
        ("select * from device where app_id not like 'a'", 39, "`in`"),
        ("select * from device order by device_id", 31, "`marker`"),
        ("select * from device limit 51", 28, "from 1 to 50"),
        ("select * from device limit 0", 28, "from 1 to 50"),
        ("select * from device limit 501,1", 28, "from 0 to 500"),
        ("select * from device limit 99999999999", 28, "from 1 to 50"),
        ("select * from device limit 1; drop table device", 29, "the end of the statement"),
        ("select * from device limit 1 limit 1", 30, "the end of the statement"),
        ("select * from device # all", 22, "`limit`"),
        ("select * from device where node_id = '\u{7535}' ?", 42, "`and`"),
    ] {
        let error = parse(sql).expect_err(sql);
        let said = error.to_string();
        assert!(said.starts_with(&format!("column {column}: ")) && said.contains(expected), "{sql}: {said}");
    }
}

#[test]
fn five_conditions_and_four_hundred_characters_are_the_most() {
    let conditions = |n: usize| format!("select * from device where {}", vec!["node_id = 'n'"; n].join(" or "));
    assert_eq!(parsed(&conditions(CONDITIONS_MAX)).any_of.len(), CONDITIONS_MAX);
    let said = parse(&conditions(CONDITIONS_MAX + 1)).expect_err("one too many").to_string();
    assert!(said.contains("no more than 5 conditions"), "{said}");
    let long = |n: usize| format!("select * from device{}", " ".repeat(n - 20));
    assert!(parse(&long(SQL_CHARS_MAX)).is_ok());
    assert_eq!(parse(&long(401)), Err(SqlError::TooLong { characters: 401 }));
}

#[test]
fn what_was_found_is_shown_but_not_at_any_length() {
    let said = parse(&format!("select {} from device", "x".repeat(300))).expect_err("no such field").to_string();
    assert!(said.len() < 400, "{said}");
}

fn a_value() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9' _%,()\u{7535}-]{0,8}"
}

fn an_operator(field: Field) -> impl Strategy<Value = Operator> {
    let values = || proptest::collection::vec(a_value(), 1..3);
    let mut operators = vec![a_value().prop_map(Operator::Equals).boxed(), a_value().prop_map(Operator::NotEquals).boxed()];
    if field.is_ordered() {
        operators.push(a_value().prop_map(Operator::GreaterThan).boxed());
        operators.push(a_value().prop_map(Operator::LessThan).boxed());
    }
    if field.has_prefixes() {
        operators.push("[a-z'_ ]{4,8}".prop_map(Operator::StartsWith).boxed());
    }
    if field.is_listed() {
        operators.push(values().prop_map(Operator::In).boxed());
        operators.push(values().prop_map(Operator::NotIn).boxed());
    }
    proptest::strategy::Union::new(operators)
}

fn a_field() -> impl Strategy<Value = Field> {
    proptest::sample::select(Field::ALL)
}

/// Within the limit of conditions: at most two groups of at most two.
fn a_statement() -> impl Strategy<Value = Statement> {
    let fields = proptest::collection::vec(a_field(), 1..4).prop_map(Select::Fields);
    let comparison =
        a_field().prop_flat_map(|field| an_operator(field).prop_map(move |operator| Comparison { field, operator }));
    let groups = proptest::collection::vec(proptest::collection::vec(comparison, 1..3), 0..3);
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let select = prop_oneof![Just(Select::Everything), Just(Select::Count), fields];
    (select, groups, order, 0..=OFFSET_MAX, 1..=ROWS_MAX).prop_map(|(select, any_of, order, offset, limit)| Statement {
        select,
        any_of,
        order,
        offset,
        limit,
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(statement in a_statement()) {
        let sql = statement.to_string();
        prop_assume!(sql.chars().count() <= SQL_CHARS_MAX);
        prop_assert_eq!(parse(&sql), Ok(statement), "{}", sql);
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn any_row_of_words_has_an_answer_within_the_limits(words in proptest::collection::vec(proptest::sample::select(&[
        "select", "*", "count", "(", ")", "1", "from", "device", "where", "node_id", "marker", "=", "!=", ">", "like", "in",
        "not", "'abcd%'", "'", "and", "or", "order", "by", "desc", "limit", ",", "50", "\u{7535}",
    ][..]), 0..40)) {
        if let Ok(statement) = parse(&words.join(" ")) {
            assert!(statement.limit <= ROWS_MAX && statement.offset <= OFFSET_MAX);
            assert!(statement.any_of.iter().flatten().count() <= CONDITIONS_MAX);
        }
    }
}
