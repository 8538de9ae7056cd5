use std::sync::mpsc::sync_channel;

use super::*;

fn u32s(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn padded(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.resize(text.len().div_ceil(4) * 4, 0);
    bytes
}

/// A block of the draft, section 3.1: type, length, body, length.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap();
    [u32s(&[kind, length]), body.to_vec(), u32s(&[length])].concat()
}

/// An option, section 3.5: code, length, value, padding.
fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [code.to_le_bytes().to_vec(), length.to_le_bytes().to_vec(), padded(value)].concat()
}

fn head() -> Vec<u8> {
    let program = option(4, b"handfast: the switch of the lab");
    let magic = u32s(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]);
    block(0x0a0d_0d0a, &[magic, program, u32s(&[0])].concat())
}

fn interface(name: &[u8]) -> Vec<u8> {
    let options = [option(2, name), option(9, &[9]), u32s(&[0])].concat();
    block(1, &[u32s(&[101, 0]), options].concat())
}

fn packet(port: u32, at_ns: u64, bytes: &[u8], options: &[Vec<u8>]) -> Vec<u8> {
    let half = |at_ns: u64| u32::try_from(at_ns & 0xffff_ffff).unwrap();
    let (high, low) = (half(at_ns >> 32), half(at_ns));
    let length = u32::try_from(bytes.len()).unwrap();
    let head = u32s(&[port, high, low, length, length]);
    block(6, &[head, padded(bytes), options.concat(), u32s(&[0])].concat())
}

fn batch() -> Batch {
    let note = |at_ns, port, way, length, comment| Note { at_ns, port, way, length, comment };
    Batch {
        bytes: b"firstsecond".to_vec(),
        notes: vec![note(7, 0, Way::In, 5, Some("dropped: lost")), note(9, 1, Way::Out, 6, None)],
    }
}

const UNIX_NS: u64 = 1_700_000_000_000_000_000;

fn written(left: u64) -> (Vec<u8>, Captured) {
    let mut bytes = Vec::new();
    let file = Limited { file: &mut bytes, left };
    let names = ["a".to_owned(), "b".to_owned()];
    let mut writer = Writer::new(file, &names, UNIX_NS).unwrap();
    writer.write(&batch());
    let captured = writer.finish();
    (bytes, captured)
}

#[test]
fn a_capture_is_pcapng_byte_for_byte() {
    let (bytes, captured) = written(FILE_BYTES_MAX);
    let lost = option(1, b"dropped: lost");
    let expected = [
        head(),
        interface(b"a"),
        interface(b"b"),
        packet(0, UNIX_NS + 7, b"first", &[option(2, &1_u32.to_le_bytes()), lost]),
        packet(1, UNIX_NS + 9, b"second", &[option(2, &2_u32.to_le_bytes())]),
    ];
    assert_eq!(bytes, expected.concat());
    assert_eq!(captured, Captured { packets: 2, missed: 0, error: None });
}

#[test]
fn a_file_at_its_limit_takes_no_more_and_says_so() {
    let room = (head().len() + 2 * interface(b"a").len()) as u64 + BLOCK_OVERHEAD + 5;
    let (bytes, captured) = written(room);
    assert_eq!(captured, Captured { packets: 1, missed: 1, error: None });
    // isb_ifdrop, once an interface.
    let dropped = option(5, &1_u64.to_le_bytes());
    let count = bytes.windows(dropped.len()).filter(|window| *window == dropped).count();
    assert_eq!(count, 2);
}

#[test]
fn what_the_writer_does_not_keep_up_with_is_counted() {
    let (full, batches) = sync_channel(1);
    let (_back, spare) = sync_channel(1);
    let writer = std::thread::spawn(Captured::default);
    let mut capture = Capture { batch: Batch::default(), full, spare, missed: 0, writer };
    for round in 0..3 {
        capture.note(round, 0, Way::In, b"packet", None);
        capture.hand_over();
    }
    drop(batches);
    capture.note(3, 0, Way::In, b"packet", None);
    assert_eq!(capture.finish(), Captured { packets: 0, missed: 3, error: None });
}
