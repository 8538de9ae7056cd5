//! Hundreds of whole peers that pay each other.
//!
//! A few of them are the committee of the ledger and know everybody; the others know the committee and some friends. The
//! first member issues to the members, and each of those to its part of the town, in good weather; some peers come late.
//! Then everybody pays friends, and tells them so by durable messages, in bad weather, while peers lose their power and come
//! back.

use std::time::Duration;

use handfast_faults::{Chance, Dice, Fault};

use crate::history::Keep;
use crate::laws::Request;
use crate::machine::Side;
use crate::plan::{Action, MachinePlan, Plan, draw_skew, index, moment_before};

/// What a town is like; [`Town::plan`] draws the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Town {
    /// Peers, members included: [`Town::MEMBERS`] + 2 to [`Town::PEERS_MAX`].
    pub peers: usize,
    /// Payments that peers are asked for, beside those by which the tokens come among them.
    pub payments: usize,
    /// Over how long they are spread.
    pub span: Duration,
    /// Of a thousand requests or answers, how many get lost; as many are doubled, or come two seconds late.
    pub loss_per_mille: u32,
    /// After how long a peer loses its power, on average; it is back after [`Town::OFF_FOR`].
    pub lifetime: Option<Duration>,
}

impl Town {
    /// Members of the committee: one of them may fail.
    pub const MEMBERS: usize = 4;
    /// Peers of a town at most: a member pays its part of them one after the other before they can pay.
    pub const PEERS_MAX: usize = 1_000;
    /// How long a peer stays away.
    pub const OFF_FOR: Duration = Duration::from_secs(12);
    /// Whom a peer gets to know beside the committee; as many come to know it.
    const FRIENDS: usize = 4;
    /// Of a hundred peers, how many come later than the others.
    const LATE_PERCENT: u64 = 10;
    /// Of how many payments one is for more than the payer has.
    const TOO_MUCH_ONCE_IN: u64 = 20;
    /// Of how many payments one is told by a durable message.
    const TOLD_EVERY: usize = 4;

    /// Five hundred.
    pub fn new(peers: usize, payments: usize) -> Self {
        Self {
            peers: peers.clamp(Self::MEMBERS + 2, Self::PEERS_MAX),
            payments,
            span: Duration::from_mins(5),
            loss_per_mille: 30,
            lifetime: Some(Duration::from_mins(10)),
        }
    }

    /// Draws everything that happens in it.
    pub fn plan(&self, dice: &mut Dice) -> Plan {
        let issued_by = FIRST_ISSUE + BETWEEN_ISSUES * count(self.part()) + LAST_ISSUE;
        let heal_at = issued_by + self.span;
        let mut plan = Plan {
            machines: (0..self.peers).map(MachinePlan::sound).collect(),
            knows: self.draw_friends(dice),
            members: Self::MEMBERS,
            weather: vec![DELAY],
            disk: Duration::from_millis(5),
            connect: false,
            off_for: Self::OFF_FOR,
            heal_at,
            steps_max: STEPS_OF_PEER * self.peers as u64 + STEPS_OF_PAYMENT * self.payments as u64,
            keep: Keep::Fingerprint,
            ..Plan::calm(0)
        };
        for (at, machine) in plan.machines.iter_mut().enumerate() {
            machine.skew_us = draw_skew(dice);
            if at >= Self::MEMBERS && dice.below(100) < Self::LATE_PERCENT {
                machine.starts_at = moment_before(issued_by, dice);
            }
        }
        plan.actions.push((issued_by, Action::Turn { faults: self.weather() }));
        self.issue(&mut plan);
        self.draw_payments(&mut plan, issued_by, dice);
        self.draw_churn(&mut plan, issued_by, dice);
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }

    /// How many peers a member issues to.
    fn part(&self) -> usize {
        self.peers.div_ceil(Self::MEMBERS)
    }

    /// How much a peer gets of its member.
    fn for_peer(&self) -> u64 {
        FOR_MEMBER * 9 / 10 / self.part() as u64
    }

    fn weather(&self) -> Vec<Fault> {
        let chance = Chance::per_mille(self.loss_per_mille);
        vec![
            DELAY,
            Fault::Loss { chance },
            Fault::Duplicate { chance },
            Fault::Straggle { chance, span: Duration::from_secs(2) },
        ]
    }

    /// Everybody knows the members and some others, and is known by them.
    fn draw_friends(&self, dice: &mut Dice) -> Vec<Vec<usize>> {
        let mut knows: Vec<Vec<usize>> = vec![Vec::new(); self.peers];
        let mut meet = |one: usize, other: usize| {
            if one != other && !knows[one].contains(&other) {
                knows[one].push(other);
                knows[other].push(one);
            }
        };
        for at in 0..self.peers {
            for member in 0..Self::MEMBERS.min(at) {
                meet(at, member);
            }
        }
        let others = self.peers - Self::MEMBERS;
        for at in Self::MEMBERS..self.peers {
            for _ in 0..Self::FRIENDS {
                meet(at, Self::MEMBERS + index(dice, others));
            }
        }
        for known in &mut knows {
            known.sort_unstable();
        }
        knows
    }

    /// A fifth for each member; each pays most of it out.
    fn issue(&self, plan: &mut Plan) {
        let mut pay = |when, at, to, units| {
            let mark = plan.actions.len() as u64;
            let request = Request::Pay { to, mark, units };
            plan.actions.push((when, Action::Ask { at, request }));
        };
        for member in 1..Self::MEMBERS {
            pay(Duration::from_secs(1), 0, member, FOR_MEMBER);
        }
        let for_peer = self.for_peer();
        for peer in Self::MEMBERS..self.peers {
            let when = FIRST_ISSUE + BETWEEN_ISSUES * count(peer / Self::MEMBERS);
            pay(when, peer % Self::MEMBERS, peer, for_peer);
        }
    }

    /// Payments among friends. Most spend together less than the payer got; some are for more than it can have.
    fn draw_payments(&self, plan: &mut Plan, from: Duration, dice: &mut Dice) {
        let got = self.for_peer();
        let most = (got * self.peers as u64 / self.payments.max(1) as u64).clamp(1, got);
        for number in 0..self.payments {
            let at = Self::MEMBERS + index(dice, self.peers - Self::MEMBERS);
            let to = plan.knows[at][index(dice, plan.knows[at].len())];
            let when = from + moment_before(self.span, dice);
            let mark = PAYMENTS_FROM + number as u64;
            let is_too_much = dice.below(Self::TOO_MUCH_ONCE_IN) == 0;
            let units = if is_too_much { 3 * got } else { dice.between(1, most) };
            let request = Request::Pay { to, mark, units };
            plan.actions.push((when, Action::Ask { at, request }));
            if number % Self::TOLD_EVERY == 0 {
                let request = Request::Durable { to, mark };
                plan.actions.push((when, Action::Ask { at, request }));
            }
        }
    }

    /// Once the tokens are among them.
    fn draw_churn(&self, plan: &mut Plan, from: Duration, dice: &mut Dice) {
        let Some(lifetime) = self.lifetime.filter(|lifetime| *lifetime > Duration::ZERO) else {
            return;
        };
        let ends = self.peers as u128 * self.span.as_micros() / lifetime.as_micros();
        for _ in 0..ends {
            let at = index(dice, self.peers);
            let action = match dice.below(3) {
                0 => Action::Crash { at },
                1 => Action::CrashAtBatch { at, after: dice.between(1, 8), side: Side::Before },
                _ => Action::CrashAtBatch { at, after: dice.between(1, 8), side: Side::After },
            };
            plan.actions.push((from + moment_before(self.span, dice), action));
        }
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// What the first member issues to each member: a fifth of all there can be.
const FOR_MEMBER: u64 = 200_000;

/// What every link does in good weather, too.
const DELAY: Fault =
    Fault::Delay { least: Duration::from_millis(2), most: Duration::from_millis(60) };

/// When members begin to issue. Before its first order an owner asks all members how they see its account, for 10 s where
/// not all of them answer (`docs/design/ledger.md`).
const FIRST_ISSUE: Duration = Duration::from_secs(20);

/// How long the last of it takes.
const LAST_ISSUE: Duration = Duration::from_secs(20);

/// Each member pays one peer after the other.
const BETWEEN_ISSUES: Duration = Duration::from_millis(400);

/// Marks of payments; those of issues are smaller.
const PAYMENTS_FROM: u64 = 1 << 20;

/// Far more than a run takes.
const STEPS_OF_PEER: u64 = 20_000;
const STEPS_OF_PAYMENT: u64 = 2_000;
