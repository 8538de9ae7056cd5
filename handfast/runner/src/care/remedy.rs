//! Repairs one thing: exactly what was measured to be broken, and nothing of a stranger's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_heal::fact::{Cache, Fact, Owner, Process};
use handfast_heal::fault::{InfraFault, Remedy};
use handfast_scenario::name::PeerName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::Mutex;

use crate::build;
use crate::care::{Healer, facts};
use crate::command::Workshop;
use crate::unit::Surroundings;

/// How long a killed process may take to vanish (guessed: as in the reaper).
const VANISH_WITHIN: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// What carries repairs out, one at a time; and which it has carried out.
#[derive(Debug)]
pub(crate) struct Hands {
    /// Where peers are built; none where they are taken as they are.
    workshop: Option<Arc<Workshop>>,
    /// Remedies and when they were done, by the run's clock.
    done: Mutex<Vec<(Remedy, u64)>>,
}

/// A repair and what asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) fault: InfraFault,
    pub(crate) remedy: &'a Remedy,
    /// The fact that proves it.
    pub(crate) fact: Option<&'a Fact>,
    /// When the try began that was hit by it.
    pub(crate) since_us: u64,
}

impl Hands {
    pub(crate) fn new(workshop: Arc<Workshop>) -> Self {
        Self { workshop: Some(workshop), done: Mutex::default() }
    }

    /// For a run that takes its peers as they are.
    pub(crate) fn that_build_nothing() -> Self {
        Self { workshop: None, done: Mutex::default() }
    }

    /// Repairs one thing, if the budget of the run allows it. What was repaired since the try began that asks for it is not repaired twice.
    ///
    /// # Errors
    ///
    /// Why it was not repaired, in one line.
    pub(crate) async fn repair(
        &self,
        around: &Surroundings,
        healer: &Healer,
        asked: Asked<'_>,
    ) -> Result<(), String> {
        let mut done = self.done.lock().await;
        let is_done =
            |(other, at_us): &(Remedy, u64)| other == asked.remedy && *at_us >= asked.since_us;
        if done.iter().any(is_done) {
            return Ok(());
        }
        healer.take(asked.fault).map_err(|spent| spent.to_string())?;
        self.carry_out(around, healer, asked.remedy).await?;
        let now_us = around.mouth.clock().now_us();
        done.push((asked.remedy.clone(), now_us));
        if let Some(fact) = asked.fact {
            healer.noted.repaired(now_us, fact.clone());
        }
        Ok(())
    }

    async fn carry_out(
        &self,
        around: &Surroundings,
        healer: &Healer,
        remedy: &Remedy,
    ) -> Result<(), String> {
        match remedy {
            // The next try begins with other ports and reads the clock by itself.
            Remedy::LeavePort { .. } | Remedy::ReadClock { .. } => Ok(()),
            Remedy::RemoveLock { file } => remove_lock(Path::new(file)),
            Remedy::RemoveFolder { folder } => {
                fs::remove_dir_all(folder).map_err(|error| error.to_string())
            }
            Remedy::EndProcess { process } => {
                let process = process.clone();
                let ended = tokio::task::spawn_blocking(move || end(&process)).await;
                ended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
            }
            Remedy::MoveStore { store } => move_away(Path::new(store)),
            Remedy::Rebuild { cache: Cache::Build { peer } } | Remedy::RestartBuild { peer } => {
                self.rebuild(around, healer, peer).await
            }
            Remedy::Rebuild { cache: Cache::Environment { .. } }
            | Remedy::RebuildNetwork { .. }
            | Remedy::RunAlone { .. }
            | Remedy::RestartDatabase { .. } => {
                Err("this handfast cannot carry that out".to_owned())
            }
        }
    }

    /// Builds a peer anew. What cargo or another tool would take for fresh is thrown away before, where it lies among what is built.
    async fn rebuild(
        &self,
        around: &Surroundings,
        healer: &Healer,
        name: &PeerName,
    ) -> Result<(), String> {
        let places = &around.places;
        let workshop = self.workshop.as_ref().ok_or("peers are taken as they are")?;
        let peer = around.project.peer(name).ok_or("there is no such peer")?;
        let program = places.fill(&peer.start).into_iter().next().unwrap_or_default();
        if Path::new(&program).starts_with(places.target()) {
            match fs::remove_file(&program) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{program} cannot be removed: {error}"));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let (project, mouth) = (&around.project, &around.mouth);
        let asked = (vec![name.clone()], healer.patience);
        let (failures, _) = build::peers_within(project, places, workshop, mouth, asked).await;
        match failures.into_values().next() {
            Some(reason) => Err(reason),
            None => healer.noted.note_build(places, peer),
        }
    }
}

/// Removes a lock file whose maker is still gone.
fn remove_lock(file: &Path) -> Result<(), String> {
    match facts::holder_lives(file) {
        Ok(true) => Err("somebody holds it by now".to_owned()),
        Ok(false) => fs::remove_file(file).map_err(|error| error.to_string()),
        // Somebody else removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Ends the process that was seen, and no later one with its number.
fn end(process: &Process) -> io::Result<()> {
    let Owner::Ended { .. } = process.of else {
        return Err(io::Error::other("it is left of no unit that is over"));
    };
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("it has no number"))?;
    let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(descriptor) => descriptor,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // The descriptor stands for whoever has the number now: only from here on can that be no other one.
    if facts::started_ticks(process.pid) != Some(process.started_ticks) {
        return Ok(());
    }
    match pidfd_send_signal(&descriptor, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ended = [PollFd::new(&descriptor, PollFlags::IN)];
    match poll(&mut ended, Some(&VANISH_WITHIN))? {
        0 => Err(io::Error::other("it does not end")),
        _ => Ok(()),
    }
}

/// Moves a store away, with what belongs to it; whoever needs it begins a new one.
fn move_away(store: &Path) -> Result<(), String> {
    let free = |number: &u32| !named(store, *number).exists();
    let number = (1..=MOVED_MAX).find(free).ok_or("too many were moved away already")?;
    fs::rename(store, named(store, number)).map_err(|error| error.to_string())
}

/// Stores of one name that may have been moved away.
const MOVED_MAX: u32 = 100;

fn named(store: &Path, number: u32) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".torn-{number}"));
    store.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use handfast_scenario::plan::UnitId;

    use super::*;

    #[test]
    fn only_what_is_left_of_an_ended_unit_is_ended_and_only_the_very_process() {
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let started_ticks = facts::started_ticks(child.id()).unwrap();
        let process = |of: Owner, started_ticks| Process {
            pid: child.id(),
            started_ticks,
            name: "sleep".to_owned(),
            of,
        };
        let ended = Owner::Ended { unit: UnitId::new("u") };
        let (strangers, later, left) = (
            process(Owner::Stranger, started_ticks),
            process(ended.clone(), started_ticks + 1),
            process(ended, started_ticks),
        );
        assert!(end(&strangers).is_err());
        end(&later).unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "it has another start");
        end(&left).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
        end(&left).unwrap();
    }

    #[test]
    fn a_lock_is_removed_only_while_its_maker_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("lock");
        fs::write(&lock, std::process::id().to_string()).unwrap();
        remove_lock(&lock).unwrap_err();
        assert!(lock.exists());
        fs::write(&lock, "4294967295").unwrap();
        remove_lock(&lock).unwrap();
        assert!(!lock.exists());
        remove_lock(&lock).unwrap();
    }

    #[test]
    fn a_store_is_moved_away_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("x.json");
        for text in ["one", "two"] {
            fs::write(&store, text).unwrap();
            move_away(&store).unwrap();
            assert!(!store.exists());
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!([read("x.json.torn-1"), read("x.json.torn-2")], ["one", "two"]);
    }
}
