use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use entity_journal::{Batch, Journal};
use entity_peer::command::AddPeer;
use entity_wire::id::{Nonce, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::v1_1::{Draft, Header};

use super::*;

/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> Config {
    Config::new("a".parse().unwrap())
}

#[tokio::test]
async fn a_listener_that_is_too_slow_sees_a_gap() {
    let node = Node::new(config(), SigningKey::from_seed([1; 32]), [2; 32], Clock::start());
    let mut events = node.listen();
    let more = 3;
    for _ in 0..Node::EVENTS_MAX + more {
        assert_eq!(node.message(b"no message").await.status, 400);
    }
    let mut last = 0;
    while let Ok(event) = events.try_recv() {
        last += 1;
        assert_eq!(event.n, last);
    }
    assert_eq!(usize::try_from(last).unwrap(), Node::EVENTS_MAX);
    node.message(b"no message").await;
    assert_eq!(usize::try_from(events.try_recv().unwrap().n).unwrap(), Node::EVENTS_MAX + more + 1);
}

/// A journal whose commits wait until they are told how to end, and that panics where somebody looks for [`UNREADABLE`].
struct Reluctant {
    kept: MemoryJournal,
    /// How many batches a commit has, when it has begun.
    began: Sender<usize>,
    ends: Receiver<Result<(), JournalError>>,
}

impl Journal for Reluctant {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        self.began.send(batches.len()).unwrap();
        self.ends.recv().unwrap()?;
        self.kept.commit(batches)
    }

    fn load(&self) -> Result<Stored, JournalError> {
        self.kept.load()
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        assert_ne!(prefix, UNREADABLE);
        self.kept.scan(space, prefix, after, count_max)
    }
}

const UNREADABLE: &[u8] = b"unreadable";

struct Disk {
    began: Receiver<usize>,
    ends: Sender<Result<(), JournalError>>,
}

/// A node whose disk is in the hand of the test.
fn reluctant() -> (Node, Disk) {
    let ((began_here, began), (ends, ends_here)) = (channel(), channel());
    let journal = Reluctant { kept: MemoryJournal::default(), began: began_here, ends: ends_here };
    let kept = (Storage::Journal(Box::new(journal)), Stored::default());
    let key = SigningKey::from_seed([1; 32]);
    let node = Node::restore(config(), key, [2; 32], Clock::start(), kept).unwrap();
    (node, Disk { began, ends })
}

/// Something that the peer wants kept.
fn add_peer(name: &str) -> Command {
    Command::AddPeer(AddPeer {
        name: name.parse().unwrap(),
        address: "http://127.0.0.1:1".to_owned(),
        key: None,
        connect: Some(false),
    })
}

type Pending<T> = tokio::task::JoinHandle<T>;

/// Starts a command and waits until its batch is at the disk.
fn start(node: &Node, disk: &Disk, name: &str) -> Pending<Result<CommandResult, CommandError>> {
    let (node, command) = (node.clone(), add_peer(name));
    let pending = tokio::spawn(async move { node.command(command).await });
    assert_eq!(disk.began.recv_timeout(PATIENCE), Ok(1));
    pending
}

async fn end<T>(pending: Pending<T>) -> T {
    tokio::time::timeout(PATIENCE, pending).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_before_what_it_rests_on_is_durable() {
    let (node, disk) = reluctant();
    let mut events = node.listen();
    let command = start(&node, &disk, "b");
    let answering = node.clone();
    // It has nothing to keep of its own, but comes after something that is not durable.
    let mut answer = tokio::spawn(async move { answering.message(b"no message").await });
    let scan = node.scan(Space::state("roster"), b"", None, 10);
    let mut scan = std::pin::pin!(scan);
    let short = Duration::from_millis(50);
    assert!(tokio::time::timeout(short, &mut answer).await.is_err());
    assert!(tokio::time::timeout(short, node.settled()).await.is_err());
    assert!(tokio::time::timeout(short, &mut scan).await.is_err());
    assert!(!command.is_finished());
    assert!(events.try_recv().is_err());

    disk.ends.send(Ok(())).unwrap();
    assert_eq!(end(command).await, Ok(CommandResult::Done));
    assert_eq!(end(answer).await.status, 400);
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert!(matches!(told[0].event, NodeEvent::Peer(PeerEvent::PeerAdded { .. })), "{told:?}");
    assert!(matches!(told[1].event, NodeEvent::Peer(PeerEvent::MessageRefused { .. })), "{told:?}");
    assert_eq!(node.settled().await, Ok(()));
    assert_eq!(scan.await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_disk_becomes_one_group() {
    let (node, disk) = reluctant();
    let first = start(&node, &disk, "b");
    let others: Vec<_> = ["c", "d", "e"]
        .map(|name| {
            let (node, command) = (node.clone(), add_peer(name));
            tokio::spawn(async move { node.command(command).await })
        })
        .into();
    while node.look(|peer, _| peer.peers().count()) < 4 {
        tokio::task::yield_now().await;
    }
    disk.ends.send(Ok(())).unwrap();
    assert_eq!(end(first).await, Ok(CommandResult::Done));
    assert_eq!(disk.began.recv_timeout(PATIENCE), Ok(3));
    assert!(others.iter().all(|other| !other.is_finished()));
    disk.ends.send(Ok(())).unwrap();
    for other in others {
        assert_eq!(end(other).await, Ok(CommandResult::Done));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_journal_fails_stops_and_says_why() {
    let (node, disk) = reluctant();
    let mut events = node.listen();
    let command = start(&node, &disk, "b");
    let answering = node.clone();
    let answer = tokio::spawn(async move { answering.message(b"no message").await });
    let settling = node.clone();
    let settled = tokio::spawn(async move { settling.settled().await });
    disk.ends.send(Err(JournalError { action: "write", reason: "no room".to_owned() })).unwrap();

    assert_eq!(node.failed().await.to_string(), "write the journal: no room");
    assert_eq!(end(command).await, Err(CommandError::Cancelled));
    assert_eq!(end(settled).await, Err(Unsettled));
    assert!([400, 503].contains(&end(answer).await.status));
    // Nothing is done any more, and nothing of what was done is shown.
    assert_eq!(node.message(b"no message").await.status, 503);
    let refused = node.command(add_peer("c")).await;
    assert!(matches!(refused, Err(CommandError::Overloaded { .. })), "{refused:?}");
    assert_eq!(node.settled().await, Err(Unsettled));
    assert!(node.scan(Space::state("roster"), b"", None, 10).await.is_err());
    assert!(events.try_recv().is_err());
    let closed = tokio::time::timeout(PATIENCE, node.close(PATIENCE)).await.unwrap();
    assert_eq!(closed.unwrap_err().to_string(), "write the journal: no room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_panics_has_failed() {
    let (node, disk) = reluctant();
    let command = start(&node, &disk, "b");
    // The journal in these tests panics when its test is gone.
    drop(disk);
    let failure = tokio::time::timeout(PATIENCE, node.failed()).await.unwrap();
    assert_eq!(failure.to_string(), "write the journal: the journal's thread panicked");
    assert_eq!(end(command).await, Err(CommandError::Cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_panics_when_it_is_read_has_failed_too() {
    let (node, _disk) = reluctant();
    assert!(node.scan(Space::state("roster"), UNREADABLE, None, 1).await.is_err());
    let failure = tokio::time::timeout(PATIENCE, node.failed()).await.unwrap();
    assert_eq!(failure.to_string(), "read the journal: the journal's thread panicked");
    let refused = node.command(add_peer("c")).await;
    assert!(matches!(refused, Err(CommandError::Overloaded { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stands_still_makes_the_node_refuse_further_work() {
    let (node, disk) = reluctant();
    let first = start(&node, &disk, "b");
    while !node.state().gate.is_full() {
        node.state().gate.submitted(1);
    }
    let refused = node.command(add_peer("c")).await;
    assert!(matches!(refused, Err(CommandError::Overloaded { .. })), "{refused:?}");
    assert_eq!(node.look(|peer, _| peer.peers().count()), 1);
    disk.ends.send(Ok(())).unwrap();
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_makes_everything_durable_and_refuses_new_commands() {
    let (node, disk) = reluctant();
    let command = start(&node, &disk, "b");
    let closing = node.clone();
    let closed = tokio::spawn(async move { closing.close(PATIENCE).await });
    while !node.state().is_closing {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.command(add_peer("c")).await, Err(CommandError::Cancelled));
    assert!(!closed.is_finished());
    disk.ends.send(Ok(())).unwrap();
    assert_eq!(end(command).await, Ok(CommandResult::Done));
    end(closed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_says_when_the_last_commit_fails() {
    let (node, disk) = reluctant();
    let command = start(&node, &disk, "b");
    let closing = node.clone();
    let closed = tokio::spawn(async move { closing.close(PATIENCE).await });
    while !node.state().is_closing {
        tokio::task::yield_now().await;
    }
    disk.ends.send(Err(JournalError { action: "write", reason: "no room".to_owned() })).unwrap();
    assert_eq!(end(command).await, Err(CommandError::Cancelled));
    assert_eq!(end(closed).await.unwrap_err().to_string(), "write the journal: no room");
}

/// An envelope of 1.1 in a session that nobody has.
fn envelope(from: &str, by: &SigningKey, nonce: u8) -> Vec<u8> {
    let header = Header {
        kind: MessageKind::Message,
        sender: from.parse().unwrap(),
        recipient: "a".parse().unwrap(),
        session: SessionId::from_random([7; 16]),
        sequence: Sequence::new(3).unwrap(),
        timestamp: Timestamp::UNIX_EPOCH,
        nonce: Nonce::from_bytes([nonce; 16]),
        expires_at: None,
    };
    Draft { header, payload: Object::new() }.sign(by).body
}

/// A node that knows `b`, by its key, and `c`, of whom it has none.
async fn acquainted() -> Node {
    let node = Node::new(config(), SigningKey::from_seed([1; 32]), [2; 32], Clock::start());
    for (name, key) in [("b", Some(SigningKey::from_seed([b'b'; 32]).public_key())), ("c", None)] {
        let Command::AddPeer(peer) = add_peer(name) else { unreachable!("it is one") };
        let added = node.command(Command::AddPeer(AddPeer { key, ..peer })).await;
        assert_eq!(added, Ok(CommandResult::Done));
    }
    node
}

#[tokio::test]
async fn envelopes_that_came_together_are_answered_as_one_by_one() {
    let b = SigningKey::from_seed([b'b'; 32]);
    let mut bodies: Vec<_> = (0..20).map(|nonce| envelope("b", &b, nonce)).collect();
    bodies[3] = envelope("b", &SigningKey::from_seed([b'x'; 32]), 3);
    bodies[5] = b"no message".to_vec();
    bodies[6] = envelope("c", &SigningKey::from_seed([b'c'; 32]), 6);
    bodies[19] = envelope("unknown", &b, 19);
    let (together, alone) = (acquainted().await, acquainted().await);
    let mut events = together.listen();
    let (replies, _) = together.judge_texts(&bodies, None);
    let expected: Vec<_> = bodies.iter().map(|body| alone.judge(body, None).reply).collect();
    assert_eq!(replies, expected);
    let codes: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| {
            let NodeEvent::Peer(PeerEvent::MessageRefused { code, .. }) = event.event else {
                unreachable!("{event:?}")
            };
            code
        })
        .collect();
    // Those whose signature holds are far too old.
    let mut refused = vec![ErrorCode::ExpiredTimestamp; 20];
    refused[3] = ErrorCode::InvalidSignature;
    refused[5] = ErrorCode::InvalidMessage;
    refused[6] = ErrorCode::UnknownSender;
    refused[19] = ErrorCode::UnknownSender;
    assert_eq!(codes, refused);
}
