use std::sync::mpsc;

use entity_journal::{MemoryJournal, Stored, Write};

use super::*;

const STATE: Space = Space::state("test");

/// Tells the number of batches of each group, and commits it when it is told to.
struct Slow {
    begun: mpsc::Sender<usize>,
    go_on: mpsc::Receiver<()>,
    kept: MemoryJournal,
}

impl Journal for Slow {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        self.begun.send(batches.len()).unwrap();
        self.go_on.recv().unwrap();
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
        self.kept.scan(space, prefix, after, count_max)
    }
}

/// One that cannot do what it put off.
struct Full(&'static str);

impl Journal for Full {
    fn commit(&mut self, _: &[Batch]) -> Result<(), JournalError> {
        Ok(())
    }

    fn load(&self) -> Result<Stored, JournalError> {
        Ok(Stored::default())
    }

    fn scan(
        &self,
        _: Space,
        _: &[u8],
        _: Option<&[u8]>,
        _: usize,
    ) -> Result<Vec<Record>, JournalError> {
        Err(JournalError { action: self.0, reason: "no room".to_owned() })
    }

    fn finish(&mut self) -> Result<(), JournalError> {
        Err(JournalError { action: "write", reason: "no room at the end".to_owned() })
    }
}

/// What is told when somebody looks something up in a [`Full`] one, and it is closed then.
async fn told_of(reading: &'static str) -> Vec<String> {
    let (tell, told) = mpsc::channel();
    let writer = Writer::start(Box::new(Full(reading)), move |progress| match progress {
        Progress::Durable { .. } => {}
        Progress::Failed(error) => tell.send(error.to_string()).unwrap(),
    });
    let writer = writer.unwrap();
    let scan = Scan { space: STATE, prefix: Vec::new(), after: None, count_max: 1 };
    let answer = writer.scan(scan).await;
    assert_eq!(answer.is_ok(), reading == "read", "who asks hears it, or that nobody is there");
    writer.close().await;
    told.iter().collect()
}

#[tokio::test]
async fn what_cannot_be_finished_has_failed() {
    assert_eq!(told_of("read").await, ["write the journal: no room at the end"]);
}

#[tokio::test]
async fn a_look_up_that_could_not_write_has_failed_for_all() {
    assert_eq!(told_of("write").await, ["write the journal: no room"]);
}

struct Setting {
    writer: Writer,
    groups: mpsc::Receiver<usize>,
    disk: mpsc::Sender<()>,
    told: mpsc::Receiver<usize>,
}

fn start() -> Setting {
    let (begun, groups) = mpsc::channel();
    let (disk, go_on) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let journal = Box::new(Slow { begun, go_on, kept: MemoryJournal::default() });
    let writer = Writer::start(journal, move |progress| match progress {
        Progress::Durable { batches } => tell.send(batches).unwrap(),
        Progress::Failed(error) => panic!("{error}"),
    });
    Setting { writer: writer.unwrap(), groups, disk, told }
}

fn batch(number: usize) -> Batch {
    Batch::from(vec![Write::put(STATE, format!("{number}"), vec![1])])
}

impl Setting {
    fn submit(&self, count: usize) {
        (0..count).for_each(|number| self.writer.submit(batch(number)));
    }

    /// Lets the group that is being committed become durable and returns how large it was.
    fn commit(&self) -> usize {
        let begun = self.groups.recv().unwrap();
        self.disk.send(()).unwrap();
        assert_eq!(self.told.recv().unwrap(), begun);
        begun
    }
}

#[test]
fn what_arrives_during_a_commit_is_one_group() {
    let setting = start();
    setting.submit(1);
    assert_eq!(setting.groups.recv().unwrap(), 1);
    setting.submit(FULL_BATCHES + 1);
    setting.disk.send(()).unwrap();
    assert_eq!(setting.told.recv().unwrap(), 1);
    assert_eq!(setting.commit(), FULL_BATCHES + 1);
}

#[test]
fn after_a_group_of_several_what_comes_becomes_durable_whether_or_not_a_group_fills() {
    let setting = start();
    setting.submit(1);
    assert_eq!(setting.groups.recv().unwrap(), 1);
    setting.submit(BUSY_BATCHES);
    setting.disk.send(()).unwrap();
    assert_eq!(setting.told.recv().unwrap(), 1);
    assert_eq!(setting.commit(), BUSY_BATCHES);
    // The thread rests now: one batch does not end the rest, and is not left behind.
    setting.submit(1);
    assert_eq!(setting.commit(), 1);
}

#[tokio::test]
async fn whoever_reads_ends_the_rest_and_sees_what_was_put_in_line_before() {
    let setting = start();
    setting.submit(1);
    assert_eq!(setting.groups.recv().unwrap(), 1);
    setting.submit(BUSY_BATCHES);
    setting.disk.send(()).unwrap();
    assert_eq!(setting.told.recv().unwrap(), 1);
    assert_eq!(setting.commit(), BUSY_BATCHES);
    setting.writer.submit(batch(100));
    let scan = Scan { space: STATE, prefix: b"100".to_vec(), after: None, count_max: 1 };
    let found = setting.writer.scan(scan);
    setting.disk.send(()).unwrap();
    assert_eq!(found.await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn closing_makes_durable_what_a_rest_was_gathering() {
    let setting = start();
    setting.submit(1);
    assert_eq!(setting.groups.recv().unwrap(), 1);
    setting.submit(BUSY_BATCHES);
    setting.disk.send(()).unwrap();
    assert_eq!(setting.told.recv().unwrap(), 1);
    assert_eq!(setting.commit(), BUSY_BATCHES);
    setting.submit(2);
    setting.disk.send(()).unwrap();
    setting.disk.send(()).unwrap();
    setting.writer.close().await;
    let told: usize = setting.told.try_iter().sum();
    assert_eq!(told, 2);
}
