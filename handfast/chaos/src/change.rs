//! From a schedule that showed something new to one that is much like it.

use std::time::Duration;

use handfast_faults::Dice;
use handfast_faults::disturbance::When;

use crate::menu::Menu;
use crate::schedule::{STEPS_MAX, Schedule};

/// One change by chance: a disturbance more, fewer, at another moment, for another time, or in place of another.
pub(crate) fn change(mut schedule: Schedule, menu: &mut Menu, dice: &mut Dice) -> Schedule {
    let count = u64::try_from(schedule.len()).unwrap_or(0);
    let index = usize::try_from(dice.below(count)).unwrap_or(0);
    let way = dice.below(6);
    let Some(step) = schedule.steps.get_mut(index) else {
        schedule.steps.extend(menu.draw(dice));
        return schedule;
    };
    match way {
        0 => {
            let place = usize::try_from(dice.below(count + 1)).unwrap_or(0);
            if let Some(step) = menu.draw(dice).filter(|_| schedule.len() < STEPS_MAX) {
                schedule.steps.insert(place.min(schedule.len()), step);
            }
        }
        1 if count > 1 => {
            schedule.steps.remove(index);
        }
        3 if step.lasts.is_some() => step.lasts = Some(Menu::draw_span(dice)),
        1..=3 => step.when = menu.draw_when(dice),
        4 => step.when = near(&step.when, dice),
        _ => {
            if let Some(other) = menu.draw(dice) {
                *step = other;
            }
        }
    }
    schedule
}

/// The first part of one schedule and the last part of another.
pub(crate) fn splice(first: &Schedule, last: &Schedule, dice: &mut Dice) -> Schedule {
    let mut cut = |schedule: &Schedule| {
        let count = u64::try_from(schedule.len()).unwrap_or(0);
        usize::try_from(dice.between(0, count)).unwrap_or(0)
    };
    let (end, begin) = (cut(first), cut(last));
    let steps = first.steps.iter().take(end).chain(last.steps.iter().skip(begin));
    Schedule::new(steps.cloned().collect())
}

/// A moment a little earlier or later: what is missed by little is often found so.
fn near(when: &When, dice: &mut Dice) -> When {
    let by = Duration::from_millis(dice.between(1, 200));
    let is_later = dice.below(2) == 0;
    let moved = |time: Duration| if is_later { time + by } else { time.saturating_sub(by) };
    match when {
        When::At(at) => When::At(moved(*at)),
        When::On { cue, after } => When::On { cue: cue.clone(), after: moved(*after) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::menu::Kind;
    use crate::sample::{kill, pause};

    fn menu() -> Menu {
        Menu::new(["a".to_owned(), "b".to_owned()], [Kind::Kill, Kind::Pause])
    }

    #[test]
    fn changes_reach_every_part_of_a_schedule_and_keep_to_the_limit() {
        let (mut menu, mut dice) = (menu(), Dice::new(1));
        let begin = Schedule::new(vec![kill("a", 100, 50), pause("b", 200, 100)]);
        let (mut lengths, mut schedule) = (std::collections::BTreeSet::new(), begin.clone());
        let (mut moved, mut other_span) = (false, false);
        for _ in 0..2_000 {
            schedule = change(schedule, &mut menu, &mut dice);
            lengths.insert(schedule.len());
            moved |= schedule.steps.first().is_some_and(|step| step.when != begin.steps[0].when);
            other_span |=
                schedule.steps.first().is_some_and(|step| step.lasts != begin.steps[0].lasts);
        }
        assert!(moved && other_span && lengths.len() > 3, "{lengths:?}");
        assert!(lengths.iter().all(|length| (1..=STEPS_MAX).contains(length)));
    }

    #[test]
    fn a_spliced_schedule_begins_as_one_and_ends_as_the_other() {
        let first = Schedule::new((0..4).map(|at| kill("a", at, 1)).collect());
        let last = Schedule::new((0..4).map(|at| pause("b", at, 1)).collect());
        let mut dice = Dice::new(1);
        for _ in 0..50 {
            let spliced = splice(&first, &last, &mut dice);
            let kills = spliced.steps.iter().take_while(|step| first.steps.contains(step)).count();
            let rest = &spliced.steps[kills..];
            assert_eq!(spliced.steps[..kills], first.steps[..kills]);
            assert_eq!(*rest, last.steps[4 - rest.len()..]);
        }
    }

    #[test]
    fn out_of_nothing_comes_a_disturbance() {
        let schedule = change(Schedule::default(), &mut menu(), &mut Dice::new(1));
        assert_eq!(schedule.len(), 1);
    }
}
