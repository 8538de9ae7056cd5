//! How account and items look as JSON.

use entity_moltbook::Moment;
use entity_moltbook::budget::{Book, Room, Standing};
use entity_moltbook::challenge::Challenge;
use entity_moltbook::inbound::{Inbound, Untrusted};
use entity_moltbook::reply::read::Created;
use serde_json::{Value, json};

/// The book of the account: limits, and challenges that wait.
pub(crate) fn book_shape(book: &Book, now: Moment) -> Value {
    let limits = book.rooms(now).into_iter().map(|Room { limit, used, next }| {
        json!({
            "kind": limit.kind,
            "count": limit.count,
            "window_seconds": limit.window.as_secs(),
            "used": used,
            "room_in_seconds": next.since(now).as_secs_f64(),
        })
    });
    let open = book.challenges().open().iter().map(|open| {
        json!({
            "code": open.code,
            "text": open.text.raw(),
            "about": open.about,
            "seconds_left": open.until.since(now).as_secs(),
        })
    });
    json!({
        "established": book.standing(now) == Standing::Established,
        "adrift": book.is_adrift(),
        "limits": limits.collect::<Vec<_>>(),
        "failed_challenges": book.challenges().failures(),
        "open_challenges": open.collect::<Vec<_>>(),
    })
}

/// Something that was made, and what has to be answered before others see it.
pub(crate) fn created_shape(created: &Created) -> Value {
    let challenge = created.challenge.as_ref().map(challenge_shape);
    json!({ "id": created.id, "visible": challenge.is_none(), "challenge": challenge })
}

fn challenge_shape(challenge: &Challenge) -> Value {
    json!({
        "code": challenge.code,
        "text": challenge.text.raw(),
        "instructions": challenge.instructions.as_ref().map(Untrusted::raw),
    })
}

/// A stranger's post or comment: what a peer would be handed, and the names of fields that are not known.
pub(crate) fn item_shape(item: &Inbound) -> Value {
    let mut value = item.hand_off();
    value["unknown_fields"] = item.unknown.clone().into();
    value
}
