//! A run under way, from its first node to its report, in slices, so that whoever waits sees how far it is.

use std::time::Duration;

use entity_wire::time::Timestamp;

use super::plan::{Beginning, Plan};
use super::report::Report;
use super::world::World;

/// A run under way.
#[derive(Debug)]
pub struct Course {
    world: World,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nodes come to be.
    Adding,
    /// Each hears of its contacts; these are all of them by their ids, and how many have.
    Settling(Vec<usize>, usize),
    /// Each joins through one that is there.
    Growing(Span),
    /// Every name is published once.
    Publishing(Span),
    /// Lookups, deaths, joins, further versions.
    Looking(Span),
    /// What was begun last comes to its end.
    Ending(Span),
    /// Nothing more is to come.
    Over,
}

/// A part of the run's time.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: Timestamp,
    until: Timestamp,
}

/// How far a run is, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What it is at.
    pub what: &'static str,
    /// How much of that is done, from 0 to 1.
    pub share: f64,
}

impl Course {
    /// Begins a run.
    pub fn new(plan: Plan) -> Self {
        let beginning = plan.beginning;
        let mut world = World::new(plan);
        let stage = match beginning {
            Beginning::Settled => Stage::Adding,
            Beginning::Grown => {
                let span = world.begin_growth();
                Stage::Growing(Span::from_now(&world, span))
            }
        };
        Self { world, stage }
    }

    /// Runs to the end.
    pub fn run(plan: Plan) -> Report {
        let mut course = Self::new(plan);
        while course.advance() {}
        course.report()
    }

    /// Goes on for a slice, some hundredth of the whole; says whether there is more to come.
    pub fn advance(&mut self) -> bool {
        let world = &mut self.world;
        let next = match &mut self.stage {
            Stage::Adding => {
                world.add_nodes(NODES_IN_SLICE);
                world.is_full().then(|| Stage::Settling(world.crowd().in_order(), 0))
            }
            Stage::Settling(order, next) => {
                let end = order.len().min(*next + NODES_IN_SLICE);
                world.settle(order, *next..end);
                *next = end;
                (end == order.len()).then(|| {
                    world.bury();
                    Stage::publishing(world)
                })
            }
            Stage::Growing(span) => span.advance(world).then(|| Stage::publishing(world)),
            Stage::Publishing(span) => span.advance(world).then(|| {
                let span = world.begin_looking();
                Stage::Looking(Span::from_now(world, span))
            }),
            Stage::Looking(span) => {
                span.advance(world).then(|| Stage::Ending(Span::from_now(world, LAST_ONES)))
            }
            Stage::Ending(span) => span.advance(world).then_some(Stage::Over),
            Stage::Over => None,
        };
        if let Some(next) = next {
            self.stage = next;
        }
        !matches!(self.stage, Stage::Over)
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let world = &self.world;
        let of = |done: usize, all: usize| part(done as u128, all as u128);
        let (what, share) = match &self.stage {
            Stage::Adding => ("making nodes", of(world.crowd().ever_count(), world.nodes_to_add())),
            Stage::Settling(order, next) => ("filling tables", of(*next, order.len())),
            Stage::Growing(span) => ("joining", span.share(world)),
            Stage::Publishing(span) => ("publishing", span.share(world)),
            Stage::Looking(span) => ("looking up", span.share(world)),
            Stage::Ending(span) => ("coming to rest", span.share(world)),
            Stage::Over => ("over", 1.0),
        };
        Progress { what, share }
    }

    /// What there is by now, in a few words.
    pub fn state(&self) -> String {
        self.world.state()
    }

    /// What came of it, so far.
    pub fn report(&self) -> Report {
        self.world.report()
    }
}

impl Stage {
    fn publishing(world: &mut World) -> Self {
        let span = world.begin_publishing();
        Self::Publishing(Span::from_now(world, span))
    }
}

impl Span {
    fn from_now(world: &World, span: Duration) -> Self {
        Self { from: world.now(), until: world.now().plus(span) }
    }

    /// Lets a slice of it pass; says whether it is over.
    fn advance(self, world: &mut World) -> bool {
        let slice = self.until.since(self.from) / SLICES;
        let slice = slice.max(Duration::from_millis(1));
        world.run_until(world.now().plus(slice).min(self.until));
        world.now() >= self.until
    }

    fn share(self, world: &World) -> f64 {
        part(world.now().since(self.from).as_micros(), self.until.since(self.from).as_micros())
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn part(done: u128, all: u128) -> f64 {
    (done as f64 / all.max(1) as f64).min(1.0)
}

/// Nodes that are made, or hear of their contacts, in one slice.
const NODES_IN_SLICE: usize = 500;

/// Slices of a span.
const SLICES: u32 = 300;

/// Time for what was begun last.
const LAST_ONES: Duration = Duration::from_mins(2);
