use super::*;

const KEY: [u8; 32] = [7; 32];

fn sender(first: u64) -> SendChannel {
    SendChannel::new(SealingKey::new(KEY), Generation::ZERO, first)
}

fn receiver(first: u64) -> ReceiveChannel {
    ReceiveChannel::new(SealingKey::new(KEY), Generation::ZERO, first)
}

#[test]
fn the_nonce_is_zeros_then_generation_then_sequence() {
    let nonce = nonce(Generation::new(0x0102), 0x0a_0b0c_0d0e_0f10 & 0xffff_ffff_ffff);
    assert_eq!(nonce, [0, 0, 0, 0, 1, 2, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10]);
}

#[test]
fn every_slot_has_its_own_sequence_number() {
    let mut channel = sender(2);
    let first = channel.reserve().unwrap().sequence().get();
    let second = channel.reserve().unwrap().sequence().get();
    assert_eq!((first, second), (2, 3));
}

#[test]
fn the_last_message_of_a_generation_is_number_2_to_the_21_minus_1() {
    let mut channel = sender(MESSAGES_MAX - 1);
    assert_eq!(channel.remaining(), 1);
    assert_eq!(channel.reserve().unwrap().sequence().get(), MESSAGES_MAX - 1);
    let exhausted = GenerationExhausted { generation: Generation::ZERO };
    assert_eq!(channel.reserve().unwrap_err(), exhausted);
    assert_eq!(channel.reserve().unwrap_err(), exhausted);
}

#[track_caller]
fn check(generation: u16, sequence: u64, expected: Result<(), PositionRefusal>) {
    assert_eq!(receiver(2).look(Generation::new(generation), sequence), expected);
}

#[test]
fn a_position_must_be_of_this_generation_inside_it_and_new() {
    check(0, 2, Ok(()));
    check(0, MESSAGES_MAX - 1, Ok(()));
    check(0, MESSAGES_MAX, Err(PositionRefusal::BeyondGeneration { sequence: MESSAGES_MAX }));
    check(0, 1, Err(PositionRefusal::Window(SequenceRefusal::Repeated { sequence: 1 })));
    let offered = Generation::new(1);
    let current = Generation::ZERO;
    check(1, 2, Err(PositionRefusal::OtherGeneration { offered, current }));
}

#[test]
fn what_was_sealed_opens_at_its_own_position_with_its_own_associated_data_only() {
    let mut sender = sender(2);
    let receiver = receiver(2);
    let slot = sender.reserve().unwrap();
    let sealed = slot.seal(b"associated", b"plaintext");
    let opened = receiver.open(2, b"associated", &sealed).unwrap();
    assert_eq!(opened.as_slice(), b"plaintext");
    assert!(receiver.open(3, b"associated", &sealed).is_err());
    assert!(receiver.open(2, b"other", &sealed).is_err());
    let other_generation = ReceiveChannel::new(SealingKey::new(KEY), Generation::new(1), 0);
    assert!(other_generation.open(2, b"associated", &sealed).is_err());
}

#[test]
fn nothing_of_the_key_is_printed() {
    let printed = format!("{:?} {:?}", sender(2), receiver(2));
    assert!(!printed.contains("key"), "{printed}");
}
