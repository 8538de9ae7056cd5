//! `on-the-wire`: every message of a kind was sent in the form that the scenario says, and there was one.
//!
//! What a peer says of its own messages (a version, a flavour, whether they are sealed) is only its word; this looks
//! at their bytes. It takes `has`, what each of them includes, and `from`, `to` and `type` to choose among them.

use handfast_scenario::expectation::difference;

use crate::history::{History, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["from", "to", "type", "has"])?;
    let (from, to, kind) = (params.text("from")?, params.text("to")?, params.text("type")?);
    let has = params.filled_table("has")?;
    let is_meant = |message: &&Wire<'_>| {
        from.is_none_or(|from| from == message.from)
            && to.is_none_or(|to| to == message.to)
            && kind.is_none_or(|kind| Some(kind) == message.message_type)
    };
    let wire = history.wire();
    let mut meant = wire.iter().filter(is_meant).peekable();
    if meant.peek().is_none() {
        let what = [("from ", from), ("to ", to), ("of type ", kind)];
        let what = what.map(|(word, name)| name.map(|name| format!(" {word}{name}"))).into_iter();
        let what: String = what.flatten().collect();
        return Ok(Err(format!("no message{what} was captured, so that all are so shows nothing")));
    }
    for message in meant {
        let Some(sent) = message.sent_json() else {
            let title = message.title();
            return Ok(Err(format!("{title} is not JSON, or longer than what is captured")));
        };
        if let Some(difference) = difference(&sent, has) {
            return Ok(Err(format!("expected {} to include {has}: {difference}", message.title())));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::judge;
    use crate::story::Story;

    fn story() -> Story {
        let old = json!({ "msg_type": "message", "version": "1.0" });
        let new = json!({ "msg_type": "message", "version": "1.1" });
        Story::new().wire("a", "b", &old, 200).wire("b", "a", &new, 200)
    }

    #[test]
    fn messages_of_the_form_pass() {
        story().passes("on-the-wire", json!({ "from": "a", "has": { "version": "1.0" } }));
        story().passes("on-the-wire", json!({ "to": "a", "has": { "version": "1.1" } }));
        let any = json!({ "type": "message", "has": { "version": { "$glob": "1.*" } } });
        story().passes("on-the-wire", any);
    }

    #[test]
    fn one_message_of_another_form_fails() {
        let params = json!({ "has": { "version": "1.0" } });
        story().fails("on-the-wire", params, "message #1 of b -> a");
    }

    #[test]
    fn a_form_that_no_message_could_have_fails() {
        let params = json!({ "from": "c", "type": "message", "has": { "version": "1.0" } });
        story().fails("on-the-wire", params, "no message from c of type message was captured");
    }

    #[test]
    fn without_a_form_it_cannot_be_asked() {
        for params in [Value::Null, json!({ "has": {} }), json!({ "has": { "x": 1 }, "from": 1 })] {
            let error = judge("on-the-wire", &params, &[]).unwrap_err();
            assert!(error.to_string().contains("needs"), "{error}");
        }
    }
}
