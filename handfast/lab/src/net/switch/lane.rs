//! One direction of a link: its conditions, the dice it throws, and what came of it.

use handfast_faults::{Account, Conditions, Link, Shaper};

use super::account::{Carried, LinkAccount};
use super::change::Corruption;

/// One direction, as the switch has it.
#[derive(Debug)]
pub(super) struct Lane {
    link: Link,
    pub(super) shaper: Shaper,
    pub(super) carried: Carried,
    /// What came of conditions that held before, those of the same conditions together.
    stretches: Vec<LinkAccount>,
}

impl Lane {
    /// A direction under these conditions; all its chance follows from `seed` and its name.
    pub(super) fn new(link: Link, asked: Conditions, seed: u64) -> Self {
        let shaper = Shaper::new(asked, seed, &link.to_string());
        Self { link, shaper, carried: Carried::default(), stretches: Vec::new() }
    }

    /// Changes the conditions; what waits already leaves as it was decided.
    pub(super) fn set(&mut self, asked: Conditions, now_ns: u64) {
        let over = self.stretch(self.shaper.conditions().clone(), self.shaper.account().clone());
        self.shaper.take_account();
        let known = self.stretches.iter().position(|stretch| stretch.asked == over.asked);
        match known {
            Some(place) => self.stretches[place].account.merge(&over.account),
            None if self.stretches.len() < STRETCHES_MAX => self.stretches.push(over),
            None => {
                let last = &mut self.stretches[STRETCHES_MAX - 1];
                last.account.merge(&over.account);
                last.is_mixed = true;
            }
        }
        self.shaper.set(asked, now_ns);
    }

    /// Whether everything passes as it is: then segmentation may be left to the other side.
    pub(super) fn is_plain(&self) -> bool {
        self.shaper.conditions().are_clear()
    }

    /// What a flipped bit leads to.
    pub(super) fn corruption(&self) -> Corruption {
        if self.shaper.conditions().renew_checksums {
            Corruption::Unnoticed
        } else {
            Corruption::Caught
        }
    }

    /// Whose it is.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// What was asked and what came of it, for each of the conditions that there were, those that hold last. What was carried out is
    /// counted for all of them together, and stands beside the last.
    pub(super) fn accounts(&self) -> Vec<LinkAccount> {
        let asked = self.shaper.conditions();
        let mut all = self.stretches.clone();
        let mut last = self.stretch(asked.clone(), self.shaper.account().clone());
        last.carried = Some(self.carried.clone());
        if let Some(place) = all.iter().position(|stretch| stretch.asked == *asked) {
            let before = all.remove(place);
            last.account.merge(&before.account);
            last.is_mixed = before.is_mixed;
        }
        all.push(last);
        all
    }

    fn stretch(&self, asked: Conditions, account: Account) -> LinkAccount {
        let (from, to) = (self.link.from.clone(), self.link.to.clone());
        LinkAccount { from, to, asked, account, carried: None, is_mixed: false }
    }
}

/// Different conditions of a direction that are told apart: more than a schedule of disturbances has for a link.
pub(super) const STRETCHES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use handfast_faults::{Delay, Packet};

    use super::*;

    fn delay(ms: u64) -> Conditions {
        let delay = Delay::constant(Duration::from_millis(ms));
        Conditions { delay, ..Conditions::default() }
    }

    fn pass(lane: &mut Lane) {
        lane.shaper.handle_packet(Packet { length: 100, flow: 0 }, 0);
    }

    #[test]
    fn the_same_conditions_have_one_account_whenever_they_held() {
        let mut lane = Lane::new(Link::new("a", "b"), delay(1), 7);
        for ms in [2, 1, 3, 1] {
            pass(&mut lane);
            lane.set(delay(ms), 0);
        }
        pass(&mut lane);
        let accounts = lane.accounts();
        let found: Vec<_> =
            accounts.iter().map(|one| (one.asked.clone(), one.account.packets)).collect();
        assert_eq!(found, [(delay(2), 1), (delay(3), 1), (delay(1), 3)]);
        assert!(accounts[1].carried.is_none() && accounts[2].carried.is_some());
    }

    #[test]
    fn no_more_conditions_are_told_apart_than_the_limit_says() {
        let mut lane = Lane::new(Link::new("a", "b"), delay(0), 7);
        for ms in 1..=100 {
            pass(&mut lane);
            lane.set(delay(ms), 0);
        }
        let accounts = lane.accounts();
        assert_eq!(accounts.len(), STRETCHES_MAX + 1);
        assert_eq!(accounts.iter().map(|one| one.account.packets).sum::<u64>(), 100);
        let mixed: Vec<_> = accounts.iter().filter(|one| one.is_mixed).collect();
        assert_eq!((mixed.len(), mixed[0].account.packets), (1, 37));
        assert_eq!(mixed[0].judge(), []);
    }
}
