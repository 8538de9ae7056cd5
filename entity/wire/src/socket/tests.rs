use proptest::prelude::*;

use super::*;

#[track_caller]
fn golden(notice: Notice<'_>, bytes: &[u8]) {
    assert_eq!(notice.encode(), bytes);
    assert_eq!(Notice::decode(bytes), Ok(notice));
    assert_eq!(BinaryKind::of(bytes), BinaryKind::Notice);
}

#[test]
fn an_acceptance_is_nine_bytes() {
    golden(Notice::Accepted { count: 1 }, &[1, 0, 0, 0, 0, 0, 0, 0, 1]);
    golden(Notice::Accepted { count: 0x0102_0304_0506_0708 }, &[1, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_refusal_has_the_status_and_the_body_of_http() {
    let mut bytes = vec![2, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0x99];
    bytes.extend_from_slice(br#"{"detail":"no"}"#);
    golden(Notice::Refused { index: 258, status: 409, body: r#"{"detail":"no"}"# }, &bytes);
    golden(
        Notice::Refused { index: 1, status: 503, body: "" },
        &[2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xf7],
    );
}

#[test]
fn what_is_no_notice_is_refused() {
    let refused = |message: &[u8]| Notice::decode(message).unwrap_err();
    assert_eq!(refused(&[]), InvalidNotice::Kind);
    assert_eq!(refused(&[0x11, 0, 0]), InvalidNotice::Kind);
    assert_eq!(refused(&[1, 0, 0, 0, 0, 0, 0, 1]), InvalidNotice::Length);
    assert_eq!(refused(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0]), InvalidNotice::Length);
    assert_eq!(refused(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), InvalidNotice::Index);
    assert_eq!(refused(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xf7]), InvalidNotice::Index);
    assert_eq!(refused(&[2, 0, 0, 0, 0, 0, 0, 0, 1, 1]), InvalidNotice::Length);
    for status in [0_u16, 99, 200, 600, u16::MAX] {
        let mut message = vec![2, 0, 0, 0, 0, 0, 0, 0, 1];
        message.extend_from_slice(&status.to_be_bytes());
        assert_eq!(refused(&message), InvalidNotice::Status, "{status}");
    }
    assert_eq!(refused(&[2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xf7, 0xff]), InvalidNotice::Text);
}

#[test]
fn a_body_beyond_the_limit_is_refused_and_never_sent() {
    let body = "x".repeat(SOCKET_ANSWER_LEN_MAX);
    let longest = Notice::Refused { index: 1, status: 400, body: &body };
    let mut bytes = longest.encode();
    assert_eq!(Notice::decode(&bytes), Ok(longest));
    bytes.push(b'x');
    assert_eq!(Notice::decode(&bytes), Err(InvalidNotice::Length));
    let longer = format!("{body}x");
    let sent = Notice::Refused { index: 1, status: 400, body: &longer }.encode();
    assert_eq!(Notice::decode(&sent), Ok(Notice::Refused { index: 1, status: 400, body: "" }));
}

#[test]
fn the_first_byte_says_what_a_binary_message_is() {
    let kinds = [
        (&[0x01][..], BinaryKind::Notice, false),
        (&[0x02], BinaryKind::Notice, false),
        (&[0x10, b'{'], BinaryKind::Control, false),
        (&[0x11], BinaryKind::Frame, true),
        (&[0x12], BinaryKind::Frame, true),
        (&[0x20], BinaryKind::Forward, true),
        (&[0x03], BinaryKind::Unknown, true),
        (&[0x00], BinaryKind::Unknown, true),
        (&[], BinaryKind::Unknown, true),
    ];
    for (message, kind, is_counted) in kinds {
        assert_eq!((BinaryKind::of(message), kind.is_counted()), (kind, is_counted), "{message:?}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_as_it_was(message in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(notice) = Notice::decode(&message) {
            prop_assert_eq!(notice.encode(), message);
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was(index in 1..=u64::MAX, status in 100_u16..600, body in ".{0,40}") {
        prop_assume!(status != 200);
        for notice in [Notice::Accepted { count: index }, Notice::Refused { index, status, body: &body }] {
            let message = notice.encode();
            prop_assert_eq!(Notice::decode(&message), Ok(notice));
        }
    }
}
