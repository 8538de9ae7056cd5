//! A register: what was written last is what is read.

use std::collections::BTreeMap;

use handfast_scenario::template::Path;
use serde_json::Value;

use super::search::{Model, Operation};
use crate::OracleError;
use crate::calls::Asked;
use crate::params::Params;

/// Which calls write and read, and where in `{role, with, result}` the name of the register and its value stand.
pub(super) struct Calls {
    write: Side,
    read: Side,
}

struct Side {
    call: String,
    key: Path,
    value: Path,
}

/// A value by its number: two texts of one value have one.
pub(super) type Number = usize;

/// What is done to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// From here on this is in it.
    Write(Number),
    /// This was in it; nothing: it was empty.
    Read(Option<Number>),
}

/// One register, empty at first.
pub(super) struct Register;

impl Model for Register {
    type State = Option<Number>;
    type Mark = Option<Number>;
    type Action = Action;

    fn begin(&self) -> Option<Number> {
        None
    }

    fn apply(&self, state: &Option<Number>, action: &Action) -> Option<Option<Number>> {
        match action {
            Action::Write(number) => Some(Some(*number)),
            Action::Read(seen) => (seen == state).then_some(*state),
        }
    }

    fn only_looks(&self, action: &Action) -> bool {
        matches!(action, Action::Read(_))
    }

    fn mark(&self, state: &Option<Number>) -> Option<Number> {
        *state
    }
}

impl Calls {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, OracleError> {
        let side = |name: &str| {
            let table = params.filled_table(name)?;
            let text = |key: &str| {
                let wrong =
                    format!("needs {name} = {{ call = \"..\", key = \"..\", value = \"..\" }}");
                table[key].as_str().ok_or_else(|| params.problem(wrong))
            };
            let path = |key: &str| text(key).map(Path::new);
            Ok(Side { call: text("call")?.to_owned(), key: path("key")?, value: path("value")? })
        };
        Ok(Self { write: side("write")?, read: side("read")? })
    }

    /// The operations of each register, by its name.
    ///
    /// # Errors
    ///
    /// The reason why they show nothing.
    pub(super) fn registers(
        &self,
        calls: &[Asked<'_>],
    ) -> Result<BTreeMap<String, Vec<Operation<Action>>>, String> {
        let mut numbers: BTreeMap<String, Number> = BTreeMap::new();
        let mut number = |value: &Value| {
            let next = numbers.len();
            *numbers.entry(value.to_string()).or_insert(next)
        };
        let mut registers: BTreeMap<String, Vec<Operation<Action>>> = BTreeMap::new();
        let (mut writes, mut reads) = (0, 0);
        for call in calls {
            let whole = call.whole();
            let name = |side: &Side| side.key.find(&whole).map(Value::to_string);
            let (began, role) = (call.began, call.role);
            if call.method == self.write.call && !call.had_no_effect() {
                let (Some(name), Some(value)) = (name(&self.write), self.write.value.find(&whole))
                else {
                    return Err(format!("{} of {role} has no such key or value", call.method));
                };
                let ended = call.done().map(|(at, _)| at);
                writes += usize::from(ended.is_some());
                let title = format!("{role} wrote {value} to {name}");
                let action = Action::Write(number(value));
                registers.entry(name).or_default().push(Operation { began, ended, action, title });
            } else if call.method == self.read.call
                && let Some((at, _)) = call.done()
            {
                let Some(name) = name(&self.read) else {
                    return Err(format!("{} of {role} has no such key", call.method));
                };
                reads += 1;
                let value = self.read.value.find(&whole).filter(|value| !value.is_null());
                let title = match value {
                    Some(value) => format!("{role} read {value} of {name}"),
                    None => format!("{role} read nothing of {name}"),
                };
                let action = Action::Read(value.map(&mut number));
                let operation = Operation { began, ended: Some(at), action, title };
                registers.entry(name).or_default().push(operation);
            }
        }
        if writes == 0 || reads == 0 {
            return Err(format!(
                "{writes} writes and {reads} reads were answered, which shows nothing of their order"
            ));
        }
        Ok(registers)
    }
}
