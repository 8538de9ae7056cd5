use std::sync::mpsc;
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_peer::command::Source;
use entity_peer::output::{FinishOutcome, Keep, ReadFailure, WriteOutcome};
use entity_wire::payload::chunk::{Cut, Piece};

use super::*;

fn id(byte: u8) -> TransferId {
    TransferId::from_random([byte; 16])
}

/// Files in a directory of their own, and what they tell.
struct Place {
    directory: tempfile::TempDir,
    files: Files,
    told: mpsc::Receiver<IoOutcome>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (files, told) = start(directory.path(), &[]);
        Self { directory, files, told }
    }

    /// The same directory after a restart.
    fn again(self, open: &[TransferId]) -> Self {
        let (files, told) = start(self.directory.path(), open);
        Self { files, told, ..self }
    }

    fn run(&mut self, io: Io) -> IoOutcome {
        self.files.submit(io);
        self.told.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    fn write(&mut self, byte: u8, cut: Cut, index: u32, data: &[u8]) -> WriteOutcome {
        let body = Arc::new(Piece::new(data).into_object(id(byte), index)).into();
        let ended = self.run(Io::Write { transfer: id(byte), cut, index, body });
        let IoOutcome::Written { outcome, .. } = ended else { panic!("{ended:?}") };
        outcome
    }

    fn finish(&mut self, byte: u8, cut: Cut, promised: &[u8], name: &str) -> FinishOutcome {
        let keep = Keep::File { name: Some(name.parse().unwrap()) };
        let sha256 = sha256(promised);
        let ended = self.run(Io::Finish { transfer: id(byte), cut, sha256, keep });
        let IoOutcome::Finished { outcome, .. } = ended else { panic!("{ended:?}") };
        outcome
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join("incoming")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn start(directory: &Path, open: &[TransferId]) -> (Files, mpsc::Receiver<IoOutcome>) {
    let (tell, told) = channel();
    let files = Files::new(Some(directory), open, move |outcome| drop(tell.send(outcome)));
    (files.unwrap(), told)
}

fn two_chunks() -> (Cut, Vec<u8>) {
    let data = [vec![1; 1_024], vec![2; 500]].concat();
    (Cut::new(1_524, 1_024).unwrap(), data)
}

#[track_caller]
fn path_of(outcome: FinishOutcome) -> String {
    let FinishOutcome::Kept { path: Some(path) } = outcome else { panic!("{outcome:?}") };
    path
}

#[test]
fn chunks_in_any_order_become_a_file_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    assert_eq!(place.write(1, cut, 1, &data[1_024..]), WriteOutcome::Written);
    assert_eq!(place.write(1, cut, 0, &data[..1_024]), WriteOutcome::Written);
    let synced = place.run(Io::Sync { transfer: id(1) });
    assert_eq!(synced, IoOutcome::Synced { transfer: id(1), is_durable: true });
    let path = path_of(place.finish(1, cut, &data, "notes.txt"));
    assert_eq!(std::fs::read(&path).unwrap(), data);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(Path::new(&path)), 0o600);
    assert_eq!(mode(&place.directory.path().join("incoming")), 0o700);
    // Its part goes when its end is recorded.
    place.files.submit(Io::Discard { transfer: id(1) });
    barrier(&mut place);
    assert!(place.names().contains(&format!("{}-notes.txt", id(1))));
    assert!(!place.names().contains(&format!(".part-{}", id(1))));
}

#[test]
fn no_name_leads_out_of_the_directory() {
    for name in
        ["../../etc/passwd", "/etc/passwd", "..", "a/b\\c:d", "-rf", "\u{202e}txt.exe", ".part-x"]
    {
        let mut place = Place::new();
        let cut = Cut::new(0, 1_024).unwrap();
        let path = path_of(place.finish(1, cut, b"", name));
        let inside = place.directory.path().canonicalize().unwrap().join("incoming");
        let path = Path::new(&path).canonicalize().unwrap();
        assert_eq!(path.parent(), Some(inside.as_path()), "{name}");
        let last = path.file_name().unwrap().to_str().unwrap();
        assert!(last.starts_with(&id(1).to_string()), "{last}");
        assert!(last.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
    }
    let long = "n".repeat(255).parse().unwrap();
    assert!(incoming::file_name(id(1), Some(&long)).len() < 200);
}

#[test]
fn what_does_not_have_its_digest_becomes_no_file() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    place.write(1, cut, 0, &data[..1_024]);
    assert_eq!(place.finish(1, cut, &data, "a"), FinishOutcome::Mismatch, "too short");
    place.write(1, cut, 1, &[9; 500]);
    assert_eq!(place.finish(1, cut, &data, "a"), FinishOutcome::Mismatch);
    place.files.submit(Io::Discard { transfer: id(1) });
    barrier(&mut place);
    assert_eq!(place.names(), [format!(".part-{}", id(8))]);
}

#[test]
fn a_chunk_that_is_not_what_it_says_is_not_written() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    let object = Piece::new(&data[..1_024]).into_object(id(1), 0);
    let body = Arc::new(object.with("sha256", "00".repeat(32))).into();
    let outcome = WriteOutcome::Corrupt;
    let written = place.run(Io::Write { transfer: id(1), cut, index: 0, body });
    assert_eq!(written, IoOutcome::Written { transfer: id(1), index: 0, outcome });
    assert!(place.names().is_empty());
}

#[test]
fn a_chunk_that_came_as_bytes_is_written_as_it_is_and_one_of_another_length_is_not() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    for (index, piece) in (0..).zip(data.chunks(1_024)) {
        let body = piece.to_vec().into();
        let written = place.run(Io::Write { transfer: id(1), cut, index, body });
        let outcome = WriteOutcome::Written;
        assert_eq!(written, IoOutcome::Written { transfer: id(1), index, outcome });
    }
    let path = path_of(place.finish(1, cut, &data, "bytes"));
    assert_eq!(std::fs::read(path).unwrap(), data);
    let body = vec![0; 7].into();
    let written = place.run(Io::Write { transfer: id(2), cut, index: 0, body });
    let outcome = WriteOutcome::Failed;
    assert_eq!(written, IoOutcome::Written { transfer: id(2), index: 0, outcome });
}

#[test]
fn after_a_restart_parts_go_on_and_those_of_nobody_are_gone() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    place.write(1, cut, 0, &data[..1_024]);
    place.write(2, cut, 0, &data[..1_024]);
    let mut place = place.again(&[id(1)]);
    assert_eq!(place.names(), [format!(".part-{}", id(1))]);
    place.write(1, cut, 1, &data[1_024..]);
    let path = path_of(place.finish(1, cut, &data, "a"));
    assert_eq!(std::fs::read(path).unwrap(), data);
}

#[test]
fn a_file_that_nobody_recorded_is_a_part_again() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    place.write(1, cut, 0, &data[..1_024]);
    place.write(1, cut, 1, &data[1_024..]);
    path_of(place.finish(1, cut, &data, "a"));
    // It died before the record was durable, so the sender sends a chunk again.
    let mut place = place.again(&[id(1)]);
    assert_eq!(place.names(), [format!(".part-{}", id(1))]);
    assert_eq!(place.write(1, cut, 1, &data[1_024..]), WriteOutcome::Written);
    let path = path_of(place.finish(1, cut, &data, "a"));
    // Recorded this time.
    let place = place.again(&[]);
    assert_eq!(std::fs::read(path).unwrap(), data);
    assert_eq!(place.names(), [format!("{}-a", id(1))]);
}

#[test]
fn a_file_is_never_replaced() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    for index in [0, 1] {
        let (begin, len) = cut.chunk(index).unwrap();
        let begin = usize::try_from(begin).unwrap();
        place.write(1, cut, index, &data[begin..begin + len as usize]);
    }
    let taken = place.directory.path().join("incoming").join(format!("{}-a", id(1)));
    std::fs::write(&taken, "mine").unwrap();
    assert_eq!(place.finish(1, cut, &data, "a"), FinishOutcome::Failed);
    assert_eq!(std::fs::read(taken).unwrap(), b"mine");
}

#[test]
fn a_file_that_changed_is_not_read() {
    let mut place = Place::new();
    let path = place.directory.path().join("source");
    std::fs::write(&path, b"abc").unwrap();
    let described = describe(&path).unwrap();
    assert_eq!((described.total_size, described.sha256), (3, sha256(b"abc")));
    let mut read = |modified_us, total_size| {
        let source = Source::File { path: described.path.clone(), modified_us };
        let (transfer, index, begin, len) = (id(1), 0, 1, 2);
        let ended = place.run(Io::Read { transfer, source, total_size, index, begin, len });
        let IoOutcome::Read { outcome, .. } = ended else { panic!("{ended:?}") };
        outcome
    };
    assert_eq!(read(described.modified_us, 3), Ok(Piece::new(b"bc")));
    assert_eq!(read(described.modified_us + 1, 3), Err(ReadFailure::Changed));
    std::fs::write(&path, b"abcd").unwrap();
    assert_eq!(read(described.modified_us, 3), Err(ReadFailure::Changed));
}

#[test]
fn what_is_no_file_is_not_offered() {
    let directory = tempfile::tempdir().unwrap();
    assert!(describe(directory.path()).is_err());
    assert!(describe(&directory.path().join("missing")).is_err());
}

#[test]
fn without_a_directory_messages_are_taken_and_files_are_not() {
    let (tell, told) = channel();
    let mut files = Files::new(None, &[], move |outcome| drop(tell.send(outcome))).unwrap();
    let cut = Cut::new(3, 1_024).unwrap();
    for (keep, is_taken) in
        [(Keep::Message { kind: "note".to_owned() }, true), (Keep::File { name: None }, false)]
    {
        let body = Arc::new(Piece::new(b"abc").into_object(id(1), 0)).into();
        files.submit(Io::Write { transfer: id(1), cut, index: 0, body });
        told.recv_timeout(Duration::from_secs(10)).unwrap();
        files.submit(Io::Finish { transfer: id(1), cut, sha256: sha256(b"abc"), keep });
        let finished = told.recv_timeout(Duration::from_secs(10)).unwrap();
        let body = b"abc".to_vec();
        assert_eq!(finished == IoOutcome::Message { transfer: id(1), body }, is_taken);
    }
}

/// Waits until everything submitted before is done on every thread. It leaves a part of its own, number 8.
fn barrier(place: &mut Place) {
    place.write(8, Cut::new(1, 1_024).unwrap(), 0, b"x");
    place.run(Io::Sync { transfer: id(8) });
}

#[test]
fn a_transfer_that_ends_while_chunks_wait_to_be_written_leaves_nothing() {
    let mut place = Place::new();
    let cut = Cut::new(64 << 10, 1_024).unwrap();
    for index in 0..64 {
        let body = vec![7; 1_024].into();
        place.files.submit(Io::Write { transfer: id(1), cut, index, body });
    }
    place.files.submit(Io::Discard { transfer: id(1) });
    for _ in 0..64 {
        place.told.recv_timeout(Duration::from_secs(10)).unwrap();
    }
    barrier(&mut place);
    let part = format!(".part-{}", id(1));
    assert!(!place.names().contains(&part), "{:?}", place.names());
    assert_eq!(place.files.open_parts(), 1, "what was opened is closed, but for the barrier's own");
}

#[test]
fn a_peer_that_uses_an_id_again_touches_nothing_that_arrived() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    place.write(1, cut, 0, &data[..1_024]);
    place.write(1, cut, 1, &data[1_024..]);
    let path = path_of(place.finish(1, cut, &data, "a"));
    place.files.submit(Io::Discard { transfer: id(1) });
    barrier(&mut place);
    // The same id and name with other bytes, long after the first was forgotten; also over a restart.
    place.write(1, cut, 0, &[9; 1_024]);
    let mut place = place.again(&[id(1)]);
    assert_eq!(std::fs::read(&path).unwrap(), data);
    let other = [vec![9; 1_024], vec![8; 500]].concat();
    place.write(1, cut, 1, &other[1_024..]);
    assert_eq!(place.finish(1, cut, &other, "a"), FinishOutcome::Failed);
    assert_eq!(std::fs::read(&path).unwrap(), data);
    place.files.submit(Io::Discard { transfer: id(1) });
    barrier(&mut place);
    assert_eq!(std::fs::read(&path).unwrap(), data);
}

#[test]
fn a_link_in_the_place_of_a_part_is_not_followed() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    let victim = place.directory.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    let part = place.directory.path().join("incoming").join(format!(".part-{}", id(1)));
    std::os::unix::fs::symlink(&victim, part).unwrap();
    assert_eq!(place.write(1, cut, 0, &data[..1_024]), WriteOutcome::Failed);
    assert_eq!(std::fs::read(victim).unwrap(), b"mine");
}

#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_its_writer() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let mut place = Place::new();
    let path = place.directory.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let (tell, told) = channel();
    let described = path.clone();
    thread::spawn(move || tell.send(describe(&described)));
    let described = told.recv_timeout(Duration::from_secs(5)).expect("it waits for a writer");
    assert!(described.unwrap_err().to_string().contains("no regular file"));
    // In the place of a file that was offered.
    let source = Source::File { path: path.to_str().unwrap().to_owned(), modified_us: 0 };
    let (transfer, total_size, index, begin, len) = (id(1), 2, 0, 0, 2);
    let ended = place.run(Io::Read { transfer, source, total_size, index, begin, len });
    assert!(matches!(ended, IoOutcome::Read { outcome: Err(_), .. }), "{ended:?}");
}
