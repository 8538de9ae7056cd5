//! A binary message of a WebSocket that belongs to the connection itself: `docs/protocol/1.1.md#websocket-answers`.

use entity_wire::limits::SOCKET_ANSWER_LEN_MAX;
use entity_wire::socket::{BinaryKind, Notice};

use crate::corpus::Corpus;
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "socket",
    run: target,
    corpus: golden,
    form: Form::Binary,
    bounds: Bounds {
        held: 4 * 1024,
        held_per_byte: 4,
        worked_per_byte: 16,
        // Kind, index and status stand before the answer.
        len_max: Some(SOCKET_ANSWER_LEN_MAX + 11),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(notice) = Notice::decode(input) else { return Outcome::Refused };
    assert_eq!(BinaryKind::of(input), BinaryKind::Notice, "a notice is taken for something else");
    law::settles(&notice.encode(), |bytes| {
        let again = Notice::decode(bytes)?;
        assert_eq!(again, notice, "a notice that was written is another");
        Ok::<_, entity_wire::socket::InvalidNotice>(again.encode())
    });
    Outcome::Taken
}

fn golden() -> Corpus {
    let notices = [
        Notice::Accepted { count: 1 },
        Notice::Accepted { count: u64::MAX },
        Notice::Refused { index: 7, status: 409, body: r#"{"detail":"SEQUENCE_ERROR"}"# },
        Notice::Refused { index: 1, status: 503, body: "" },
    ];
    Corpus::of(notices.map(|notice| notice.encode()))
}
