//! Waiting for packets or a moment, whichever comes first, as exactly as this host can.
//!
//! A thread that sleeps until a moment wakes late: by a few microseconds on a processor that is awake, by fifty and more on one that
//! has to be woken. So the alarm is set a *margin* before the moment, and the rest is spent looking at the clock. The margin follows
//! what waking took last, at most [`MARGIN_MOST`]. Looking at the clock costs a processor, so it is rationed: [`SPIN_SHARE`] of the time,
//! and [`SPIN_CREDIT`] at once. Where the ration is spent, the alarm is set for the moment itself, and packets leave as late as the host
//! wakes; how late they leave is counted in either case (`Account::late`).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::clock::monotonic_ns;

/// What can wake the switch.
#[derive(Debug)]
pub(super) struct Alarm {
    epoll: OwnedFd,
    timer: OwnedFd,
    ration: Ration,
    /// What can be read.
    ready: Vec<u64>,
}

impl Alarm {
    /// Listens to nothing yet.
    ///
    /// # Errors
    ///
    /// The system has no more descriptors.
    pub(super) fn new(now_ns: u64) -> rustix::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // By edges: a timer that is set again needs not be read.
        let by_edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), by_edges)?;
        let ration = Ration { margin: MARGIN_LEAST, credit: 0, earned_at: now_ns };
        Ok(Self { epoll, timer, ration, ready: Vec::with_capacity(EVENTS) })
    }

    /// Wakes when something can be read from `source`, and calls it `name`.
    ///
    /// # Errors
    ///
    /// The descriptor cannot be waited for.
    pub(super) fn listen(&self, source: impl AsFd, name: u64) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(name);
        epoll::add(&self.epoll, source, data, epoll::EventFlags::IN)
    }

    /// Does not wake for `source` any more.
    ///
    /// # Errors
    ///
    /// It was not listened to.
    pub(super) fn forget(&self, source: impl AsFd) -> rustix::io::Result<()> {
        epoll::delete(&self.epoll, source)
    }

    /// Returns when something can be read, or `due_ns` has come; what can be read, [`Alarm::ready`] says.
    ///
    /// # Errors
    ///
    /// Waiting itself failed, which it does only where a descriptor is wrong.
    pub(super) fn wait(&mut self, due_ns: Option<u64>) -> rustix::io::Result<()> {
        let Some(due_ns) = due_ns else { return self.look(None) };
        let now_ns = monotonic_ns();
        self.ration.earn(now_ns);
        let margin_ns = self.ration.current_margin();
        let wake_ns = due_ns.saturating_sub(margin_ns);
        if wake_ns > now_ns {
            self.set(wake_ns)?;
            self.look(None)?;
            if self.ready.is_empty() {
                self.ration.woke(monotonic_ns().saturating_sub(wake_ns));
            }
            return Ok(());
        }
        self.spin(now_ns, due_ns)
    }

    /// What could be read when the last wait ended.
    pub(super) fn ready(&self) -> &[u64] {
        &self.ready
    }

    fn spin(&mut self, from_ns: u64, due_ns: u64) -> rustix::io::Result<()> {
        loop {
            self.look(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
            let now_ns = monotonic_ns();
            if !self.ready.is_empty() || now_ns >= due_ns {
                self.ration.spend(now_ns.saturating_sub(from_ns));
                return Ok(());
            }
        }
    }

    fn set(&self, at_ns: u64) -> rustix::io::Result<()> {
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Timespec {
            tv_sec: i64::try_from(at_ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at_ns % 1_000_000_000).unwrap_or(0),
        };
        let when = Itimerspec { it_interval: never, it_value: at };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &when).map(drop)
    }

    fn look(&mut self, timeout: Option<&Timespec>) -> rustix::io::Result<()> {
        self.ready.clear();
        let mut events = [MaybeUninit::uninit(); EVENTS];
        match epoll::wait(&self.epoll, &mut events, timeout) {
            Ok((events, _)) => {
                let names = events.iter().map(|event| event.data.u64());
                self.ready.extend(names.filter(|name| *name != TIMER));
                Ok(())
            }
            // A signal is no reason to stop: whoever asked asks again.
            Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How long the switch may look at the clock; all in nanoseconds.
#[derive(Debug)]
struct Ration {
    margin: u64,
    credit: u64,
    earned_at: u64,
}

impl Ration {
    fn earn(&mut self, now_ns: u64) {
        let earned = now_ns.saturating_sub(self.earned_at) / SPIN_SHARE;
        self.earned_at = now_ns;
        self.credit = (self.credit + earned).min(SPIN_CREDIT);
    }

    fn spend(&mut self, ns: u64) {
        self.credit = self.credit.saturating_sub(ns);
    }

    /// How long before a moment the alarm is set.
    fn current_margin(&self) -> u64 {
        if self.credit < self.margin { 0 } else { self.margin }
    }

    /// Follows how late the thread woke: up at once, down slowly, so that one late waking in a hundred is still met.
    fn woke(&mut self, late_ns: u64) {
        let wanted = (late_ns + late_ns / 4).clamp(MARGIN_LEAST, MARGIN_MOST);
        if wanted > self.margin {
            self.margin = wanted;
        } else {
            self.margin -= (self.margin - wanted) / 64;
        }
    }
}

/// The margin: as long as setting the alarm takes; as long as an idle virtual processor was seen to take to wake.
const MARGIN_LEAST: u64 = 5_000;
const MARGIN_MOST: u64 = 100_000;

/// One half of the time may be spent looking at the clock, and 2 ms without a pause.
const SPIN_SHARE: u64 = 2;
const SPIN_CREDIT: u64 = 2_000_000;

/// Sources that one look can name; further ones the next.
const EVENTS: usize = 64;

/// How the timer is called among the sources.
const TIMER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn waiting_ends_when_the_moment_has_come_and_not_before() {
        let mut alarm = Alarm::new(monotonic_ns()).unwrap();
        for ahead_ns in [0, 2_000, 50_000, 400_000] {
            let due_ns = monotonic_ns() + ahead_ns;
            // The alarm rings a margin before: who waits asks again.
            while monotonic_ns() < due_ns {
                alarm.wait(Some(due_ns)).unwrap();
                assert!(alarm.ready().is_empty());
            }
        }
    }

    #[test]
    fn what_can_be_read_ends_waiting() {
        let mut alarm = Alarm::new(monotonic_ns()).unwrap();
        let bell = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        alarm.listen(&bell, 7).unwrap();
        rustix::io::write(&bell, &1_u64.to_ne_bytes()).unwrap();
        alarm.wait(None).unwrap();
        assert_eq!(alarm.ready(), [7]);
        alarm.wait(Some(monotonic_ns() + 3_600_000_000_000)).unwrap();
        assert_eq!(alarm.ready(), [7]);
    }

    #[test]
    fn looking_at_the_clock_is_rationed() {
        let mut ration = Ration { margin: 10_000, credit: 0, earned_at: 0 };
        assert_eq!(ration.current_margin(), 0);
        ration.earn(19_999);
        assert_eq!((ration.credit, ration.current_margin()), (9_999, 0));
        ration.earn(20_002);
        assert_eq!(ration.current_margin(), 10_000);
        ration.spend(5_000);
        assert_eq!(ration.current_margin(), 0);
        ration.earn(3_600_000_000_000);
        assert_eq!(ration.credit, SPIN_CREDIT);
    }

    #[test]
    fn the_margin_follows_how_late_the_thread_wakes_within_its_limits() {
        let mut ration = Ration { margin: MARGIN_LEAST, credit: 0, earned_at: 0 };
        ration.woke(40_000);
        assert_eq!(ration.margin, 50_000);
        ration.woke(5_000_000);
        assert_eq!(ration.margin, MARGIN_MOST);
        for _ in 0..10_000 {
            ration.woke(0);
        }
        assert!(ration.margin < MARGIN_LEAST + 64, "{}", ration.margin);
    }
}
