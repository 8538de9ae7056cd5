//! What peers held at the beginning and at the end of a bulk of messages.

use handfast_scenario::RunEvent;

use crate::history::History;

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) descriptors: u64,
    pub(crate) memory_bytes: u64,
}

/// What has become of a peer between its first measurement and its last.
#[derive(Debug)]
pub(crate) struct Growth<'a> {
    pub(crate) role: &'a str,
    /// How many messages it sent or received in between; never 0.
    pub(crate) messages: u64,
    pub(crate) before: Held,
    pub(crate) after: Held,
}

/// The growth of every peer that was measured more than once since it was last started.
///
/// # Errors
///
/// The reason why there is nothing to judge: nobody was measured twice, or too few messages lay between.
pub(crate) fn growths<'a>(
    history: &History<'a>,
    messages_min: u64,
) -> Result<Vec<Growth<'a>>, String> {
    let mut open: Vec<(Growth<'a>, bool)> = Vec::new();
    for event in history.events() {
        if let RunEvent::PeerStarted { role, .. } = event {
            open.retain(|(growth, _)| growth.role != role.as_str());
        }
        if let RunEvent::WireMessage { from, to, .. } = event {
            let ends = [from.as_str(), to.as_str()];
            for (growth, _) in open.iter_mut().filter(|(growth, _)| ends.contains(&growth.role)) {
                growth.messages += 1;
            }
        }
        if let RunEvent::Measured { role, descriptors, memory_bytes, .. } = event {
            let held = Held { descriptors: *descriptors, memory_bytes: *memory_bytes };
            let role = role.as_str();
            if let Some((growth, is_twice)) =
                open.iter_mut().find(|(growth, _)| growth.role == role)
            {
                (growth.after, *is_twice) = (held, true);
            } else {
                open.push((Growth { role, messages: 0, before: held, after: held }, false));
            }
        }
    }
    let growths: Vec<_> =
        open.into_iter().filter(|(_, is_twice)| *is_twice).map(|(growth, _)| growth).collect();
    if growths.is_empty() {
        return Err("no peer was measured twice, so that nothing is known of its growth".to_owned());
    }
    match growths.iter().find(|growth| growth.messages < messages_min) {
        Some(Growth { role, messages, .. }) => Err(format!(
            "{role} sent and received {messages} messages between its measurements, which is too few: {messages_min} show something"
        )),
        None => Ok(growths),
    }
}
