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
        let body = Arc::new(Piece::new(data).into_object(id(byte), index));
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
    assert_eq!(place.names(), [format!("{}-notes.txt", id(1))]);
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
    place.run(Io::Sync { transfer: id(1) });
    assert!(place.names().is_empty());
}

#[test]
fn a_chunk_that_is_not_what_it_says_is_not_written() {
    let mut place = Place::new();
    let (cut, data) = two_chunks();
    let object = Piece::new(&data[..1_024]).into_object(id(1), 0);
    let body = Arc::new(object.with("sha256", "00".repeat(32)));
    let outcome = WriteOutcome::Corrupt;
    let written = place.run(Io::Write { transfer: id(1), cut, index: 0, body });
    assert_eq!(written, IoOutcome::Written { transfer: id(1), index: 0, outcome });
    assert!(place.names().is_empty());
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
    assert_eq!(place.write(1, cut, 1, &data[1_024..]), WriteOutcome::Written);
    let path = path_of(place.finish(1, cut, &data, "a"));
    assert_eq!(std::fs::read(path).unwrap(), data);
    assert_eq!(place.names().len(), 1);
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
        let body = Arc::new(Piece::new(b"abc").into_object(id(1), 0));
        files.submit(Io::Write { transfer: id(1), cut, index: 0, body });
        told.recv_timeout(Duration::from_secs(10)).unwrap();
        files.submit(Io::Finish { transfer: id(1), cut, sha256: sha256(b"abc"), keep });
        let finished = told.recv_timeout(Duration::from_secs(10)).unwrap();
        let body = b"abc".to_vec();
        assert_eq!(finished == IoOutcome::Message { transfer: id(1), body }, is_taken);
    }
}
