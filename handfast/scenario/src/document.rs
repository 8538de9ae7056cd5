//! A TOML text as a tree in which every key and value knows its place.

use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use crate::problem::Problem;
use crate::span::{Places, Span};

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: NodeValue,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeValue {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key, its place, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// Deepest nesting of a file; a peer reads at most 32 levels of a message.
const DEPTH_MAX: usize = 40;

/// Reads a text into a tree.
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    let places = Places::new(text);
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        problem(&places, span, error.message().trim().to_owned())
    })?;
    let span = Span { start: 0, end: 0, line: 1, column: 1 };
    let value = NodeValue::Table(entries(&places, table.get_ref(), 0)?);
    Ok(Node { span, value })
}

fn problem(places: &Places<'_>, range: std::ops::Range<usize>, message: String) -> Problem {
    Problem {
        span: places.span(range),
        message,
        label: "here the file stops being TOML".to_owned(),
        help: Some("see https://toml.io for how values are written".to_owned()),
    }
}

fn entries(places: &Places<'_>, table: &DeTable<'_>, depth: usize) -> Result<Vec<Entry>, Problem> {
    let mut entries = Vec::new();
    for (key, value) in table {
        entries.push(Entry {
            key: key.get_ref().to_string(),
            key_span: places.span(key.span()),
            node: node(places, value, depth + 1)?,
        });
    }
    // Tables come sorted by key; people read and are answered in the order of the file.
    entries.sort_by_key(|entry: &Entry| entry.key_span.start);
    Ok(entries)
}

fn node(
    places: &Places<'_>,
    value: &toml::Spanned<DeValue<'_>>,
    depth: usize,
) -> Result<Node, Problem> {
    let refuse = |message: &str| problem(places, value.span(), message.to_owned());
    if depth > DEPTH_MAX {
        return Err(refuse("values are nested too deeply"));
    }
    let read = match value.get_ref() {
        DeValue::String(text) => NodeValue::Text(text.to_string()),
        DeValue::Boolean(boolean) => NodeValue::Boolean(*boolean),
        DeValue::Datetime(moment) => NodeValue::Text(moment.to_string()),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            NodeValue::Integer(parsed.map_err(|_| refuse("this number needs more than 64 bits"))?)
        }
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(float) if float.is_finite() => NodeValue::Float(float),
            Ok(_) | Err(_) => return Err(refuse("this number is not finite")),
        },
        DeValue::Array(items) => {
            let items = items.iter().map(|item| node(places, item, depth + 1));
            NodeValue::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => NodeValue::Table(entries(places, table, depth)?),
    };
    Ok(Node { span: places.span(value.span()), value: read })
}

impl Node {
    /// What it is, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Text(_) => "a text",
            NodeValue::Integer(_) => "a whole number",
            NodeValue::Float(_) => "a number with a fraction",
            NodeValue::Boolean(_) => "true or false",
            NodeValue::List(_) => "a list",
            NodeValue::Table(_) => "a table",
        }
    }

    /// The value as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Text(text) => Value::String(text.clone()),
            NodeValue::Integer(integer) => Value::from(*integer),
            // `parse` lets only finite numbers through.
            NodeValue::Float(float) => Number::from_f64(*float).map_or(Value::Null, Value::Number),
            NodeValue::Boolean(boolean) => Value::Bool(*boolean),
            NodeValue::List(items) => items.iter().map(Self::to_json).collect(),
            NodeValue::Table(entries) => {
                let field = |entry: &Entry| (entry.key.clone(), entry.node.to_json());
                Value::Object(entries.iter().map(field).collect::<Map<_, _>>())
            }
        }
    }
}
