use entity_crypto::encoding::hex_encode;
use entity_crypto::signing::{PublicKey, SigningKey};
use proptest::prelude::*;

use super::forward::HEADER_LEN;
use super::*;
use crate::code::ErrorCode;
use crate::time::Timestamp;

fn member() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

fn relay() -> SigningKey {
    SigningKey::from_seed([9; 32])
}

fn challenge() -> Challenge {
    Challenge { nonce: [0xab; 32], relay_key: relay().public_key() }
}

fn registration() -> Registration {
    let expires_at = Timestamp::from_iso_strict("2026-01-02T03:04:05.000006+00:00").unwrap();
    Registration::sign(&challenge(), "carol".parse().unwrap(), (expires_at, [0xcd; 32]), &member())
}

fn header() -> Header {
    Header {
        hops: 1,
        id: ForwardId::from_bytes([7; 16]),
        recipient: member().public_key(),
        form: Form::Frame,
    }
}

#[test]
fn a_forward_has_exactly_these_bytes() {
    let bytes = header().write(b"\x11rest");
    let expected = format!("2001{}{}01{}", "07".repeat(16), member().public_key(), "1172657374");
    assert_eq!(hex_encode(&bytes), expected);
    assert_eq!(Header::read(&bytes), Ok((header(), b"\x11rest".as_slice())));
}

#[test]
fn a_forward_that_is_not_of_its_shape_is_refused() {
    let valid = header().write(b"x");
    let with = |at: usize, byte: u8| {
        let mut bytes = valid.clone();
        bytes[at] = byte;
        Header::read(&bytes).unwrap_err()
    };
    assert_eq!(with(0, 0x21), ForwardError::Kind);
    assert_eq!(with(1, 9), ForwardError::Hops);
    assert_eq!(with(50, 2), ForwardError::Form);
    assert_eq!(Header::read(&valid[..HEADER_LEN]), Err(ForwardError::TooShort));
    assert_eq!(Header::read(&valid[..3]), Err(ForwardError::TooShort));
    let mut other = valid.clone();
    other[18..50].fill(0xff);
    assert_eq!(Header::read(&other), Err(ForwardError::Recipient));
}

fn text(control: &Control) -> String {
    let bytes = control.to_json();
    assert_eq!(Control::read(&bytes).as_ref(), Ok(control));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn control_objects_have_exactly_these_bytes() {
    let (nonce, client) = ("ab".repeat(32), "cd".repeat(32));
    let relay_key = relay().public_key();
    assert_eq!(
        text(&Control::Challenge(challenge())),
        format!(r#"{{"nonce":"{nonce}","relay_key":"{relay_key}","type":"relay_challenge"}}"#)
    );
    let (key, signature) = (member().public_key(), REGISTER_SIGNATURE);
    assert_eq!(
        text(&Control::Register(Box::new(registration()))),
        format!(
            r#"{{"client_nonce":"{client}","entity_id":"carol","expires_at":"2026-01-02T03:04:05.000006+00:00","public_key":"{key}","signature":"{signature}","type":"relay_register"}}"#
        )
    );
    let registered = Registered::sign(&challenge(), &registration(), &relay());
    assert_eq!(
        text(&Control::Registered(registered)),
        format!(
            r#"{{"expires_at":"2026-01-02T03:04:05.000006+00:00","signature":"{REGISTERED_SIGNATURE}","type":"relay_registered"}}"#
        )
    );
    assert_eq!(
        text(&Control::Refused { code: ErrorCode::InvalidSignature }),
        r#"{"code":"INVALID_SIGNATURE","type":"relay_refused"}"#
    );
    assert_eq!(
        text(&Control::Ack { id: ForwardId::from_bytes([7; 16]) }),
        format!(r#"{{"id":"{}","type":"relay_ack"}}"#, "07".repeat(16))
    );
}

// Both were made by another implementation (Python's cryptography).
const REGISTER_SIGNATURE: &str =
    "uQ1Heh8+oYTjRdl9WfnmQVJ5pQC8LgB5TyPtq+Ny1mpD3W0HAgpy6tdBaM5+eZN7lGf/yj0m2Po40k8bBTwJAg==";
const REGISTERED_SIGNATURE: &str =
    "pNqHPe4eYvBoroCyJG4wvOTbjyoYXM3sJL1qIi+TjkVI70IXTxl7steIAsXV2j9dzEoOXWivsfwKJjj96t1mBQ==";

#[test]
fn a_registration_holds_for_its_challenge_its_relay_and_its_key_alone() {
    let valid = registration();
    assert!(valid.is_genuine(&challenge()));
    assert!(!valid.is_genuine(&Challenge { nonce: [0xac; 32], ..challenge() }));
    assert!(!valid.is_genuine(&Challenge { relay_key: member().public_key(), ..challenge() }));
    let other = Registration { public_key: relay().public_key(), ..valid.clone() };
    assert!(!other.is_genuine(&challenge()));
    let renamed = Registration { entity_id: "mallory".parse().unwrap(), ..valid };
    assert!(!renamed.is_genuine(&challenge()));
}

#[test]
fn only_who_holds_the_key_of_the_relay_can_say_registered() {
    let registration = registration();
    let genuine = Registered::sign(&challenge(), &registration, &relay());
    assert!(genuine.is_genuine(&challenge(), &registration));
    let claimed = Registered::sign(&challenge(), &registration, &member());
    assert!(!claimed.is_genuine(&challenge(), &registration));
    // What the relay said to an earlier registration proves nothing of this one.
    let later = Registration { client_nonce: [0xce; 32], ..registration };
    assert!(!genuine.is_genuine(&challenge(), &later));
}

#[test]
fn unknown_and_oversized_control_objects_are_told_apart() {
    let read = |text: &str| Control::read(text.as_bytes());
    assert_eq!(read(r#"{"type":"relay_new"}"#), Err(UnknownControl::Type));
    assert_eq!(read("[]"), Err(UnknownControl::Type));
    assert!(matches!(read(r#"{"type":"relay_ack"}"#), Err(UnknownControl::Field(_))));
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(control::CONTROL_LEN_MAX));
    assert!(matches!(read(&long), Err(UnknownControl::Json(_))));
    assert!(matches!(read(""), Err(UnknownControl::Json(_))));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((header, message)) = Header::read(&bytes) {
            prop_assert_eq!(header.write(message), bytes.clone());
        }
        drop(Control::read(&bytes));
    }

    #[test]
    fn a_forward_that_was_written_is_read(hops in 0..=forward::HOPS_MAX, id: [u8; 16], seed: [u8; 32], frame: bool, message in proptest::collection::vec(any::<u8>(), 1..100)) {
        let recipient: PublicKey = SigningKey::from_seed(seed).public_key();
        let form = if frame { Form::Frame } else { Form::Envelope };
        let header = Header { hops, id: ForwardId::from_bytes(id), recipient, form };
        let bytes = header.write(&message);
        prop_assert_eq!(Header::read(&bytes), Ok((header, message.as_slice())));
    }
}
