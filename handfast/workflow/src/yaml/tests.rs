use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn written(fields: &[Field]) -> String {
    let mut out = String::new();
    write_fields(&mut out, fields, 0);
    out
}

#[test]
fn a_document_has_exactly_these_bytes() {
    let steps = vec![
        vec![
            Field::new("uses", "actions/checkout@0123").note("v1"),
            Field::new("with", vec![Field::new("deep", false)]),
        ],
        vec![Field::new("run", Yaml::lines(&["set -e", "", "  echo \"$A\" # all"]))],
    ];
    let document = vec![
        Field::new("on", vec![Field::new("push", Yaml::Nothing), Field::new("empty", vec![])]),
        Field::new("cron", "0 2 * * SUN").above("once a week"),
        Field::new("minutes", 7).note("seven"),
        Field::new("odd", Yaml::texts(&["yes", "1.0", "a: b", "", "'s", "a\tb", "${{ x }}"])),
        Field::new("steps", Yaml::tables(steps)),
    ];
    let expected = r#"on:
  push:
  empty: {}
# once a week
cron: '0 2 * * SUN'
minutes: 7 # seven
odd:
  - 'yes'
  - '1.0'
  - 'a: b'
  - ''
  - '''s'
  - "a\tb"
  - ${{ x }}
steps:
  - uses: actions/checkout@0123 # v1
    with:
      deep: false
  - run: |
      set -e

        echo "$A" # all
"#;
    assert_eq!(written(&document), expected);
}

#[test]
fn what_is_no_yaml_is_refused_in_words() {
    assert!(read("a: [1").is_err());
    assert!(read("a: 1\na: 2\n").unwrap_err().contains("duplicate"));
    assert!(read(&"#".repeat(FILE_LEN_MAX + 1)).unwrap_err().contains("at most"));
    assert_eq!(read("on: push\n").unwrap(), serde_json::json!({ "on": "push" }));
}

#[test]
fn a_bomb_of_anchors_is_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..12 {
        let last = format!("*a{}", n - 1);
        bomb = format!("{bomb}a{n}: &a{n} [{}]\n", vec![last; 10].join(","));
    }
    assert!(read(&bomb).is_err());
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\n\t]{0,20}",
        "(true|no|on|~|null|0x1f|1_0|1:30|2026-01-01|-|\\?|: |#| )[a-z:# -]{0,3}",
        Just(String::new()),
    ]
}

fn tree() -> impl Strategy<Value = Yaml> {
    let leaf = prop_oneof![
        Just(Yaml::Nothing),
        any::<bool>().prop_map(Yaml::Boolean),
        (0..u64::from(u32::MAX)).prop_map(Yaml::Number),
        text().prop_map(Yaml::Text),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let note = "[a-z ]{0,6}";
        let item = (inner.clone(), note).prop_map(|(value, note)| Item { value, note });
        let field = (text(), inner, note)
            .prop_map(|(key, value, note)| Field { note, ..Field::new(&key, value) });
        prop_oneof![
            prop::collection::vec(item, 0..5).prop_map(Yaml::List),
            prop::collection::vec(field, 0..5).prop_map(|fields| Yaml::Table(once_each(fields))),
        ]
    })
}

fn once_each(fields: Vec<Field>) -> Vec<Field> {
    let mut seen = std::collections::BTreeSet::new();
    fields.into_iter().filter(|field| seen.insert(field.key.clone())).collect()
}

fn meant(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Nothing => Value::Null,
        Yaml::Boolean(boolean) => Value::Bool(*boolean),
        Yaml::Number(number) => Value::from(*number),
        Yaml::Text(text) => Value::String(text.clone()),
        Yaml::List(items) => items.iter().map(|item| meant(&item.value)).collect(),
        Yaml::Table(fields) => {
            let field = |field: &Field| (field.key.clone(), meant(&field.value));
            Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_by_another_library(key in "[a-z]{1,8}", tree in tree()) {
        let text = written(&[Field::new(&key, tree.clone())]);
        let read = read(&text);
        prop_assert_eq!(read.clone().ok().map(|value| value[key.as_str()].clone()), Some(meant(&tree)), "{:?} from\n{}", read, text);
    }
}
