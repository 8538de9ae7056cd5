//! The links between roles: conditions brought onto them, and what came of these.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_faults::{Conditions, Link};
use handfast_lab::Links;
use handfast_lab::net::switch::LinkAccount;
use handfast_scenario::RunEvent;
use handfast_scenario::event::{AccountLine, AccountVerdict, NetworkMeans};
use handfast_scenario::name::RoleName;

use super::limits::account_line;
use crate::unit::chain;
use crate::unit::micros;
use crate::unit::stage::Stage;
use crate::unit::step::StepError;

/// Since when which conditions hold on each direction.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    of: BTreeMap<Link, Vec<(Duration, Conditions)>>,
}

impl Stretches {
    fn begins(&mut self, link: &Link, conditions: Conditions, now: Duration) {
        self.of.entry(link.clone()).or_default().push((now, conditions));
    }

    /// When such conditions held first, and how long in all until `end`.
    fn in_force(&self, link: &Link, asked: &Conditions, end: Duration) -> (Duration, Duration) {
        let stretches = self.of.get(link).map(Vec::as_slice).unwrap_or_default();
        let (mut first, mut whole) = (None, Duration::ZERO);
        for (index, (from, _)) in
            stretches.iter().enumerate().filter(|(_, (_, conditions))| conditions == asked)
        {
            let until = stretches.get(index + 1).map_or(end, |(next, _)| *next);
            first = first.or(Some(*from));
            whole += until.saturating_sub(*from);
        }
        (first.unwrap_or(end), whole)
    }
}

impl Stage {
    /// Says what network the unit has, before its first peer is started.
    pub(in crate::unit) fn say_network(&self) {
        let Some(links) = self.lab().links() else { return };
        let is_approximate = !links.means().has_packets();
        self.journal().say(RunEvent::NetworkStarted {
            unit: self.journal().unit().clone(),
            means: means(links),
            asked: self.scenario().network.describe(),
            approximated: if is_approximate { self.approximated() } else { Vec::new() },
        });
        let now = self.now();
        for link in self.directions() {
            let asked = self.scenario().network.toward(&link.from, &link.to);
            self.disturber().state().stretches.begins(&link, asked, now);
        }
    }

    /// Brings what is in force onto a link.
    pub(super) async fn change_links(
        &self,
        from: &str,
        to: &str,
        both: bool,
    ) -> Result<(), StepError> {
        // What is computed last has to hold last.
        let _turn = self.disturber().links.lock().await;
        for link in directions(from, to, both) {
            let base = self.scenario().network.toward(&link.from, &link.to);
            let conditions = {
                let state = self.disturber().state();
                let timeline = state.timeline.as_ref();
                timeline.map_or(base.clone(), |of| of.conditions(&base, &link.from, &link.to))
            };
            self.set_link(&link, conditions).await?;
        }
        Ok(())
    }

    /// Brings a link back to what it was at the beginning.
    pub(super) async fn relieve_links(
        &self,
        from: &str,
        to: &str,
        both: bool,
    ) -> Result<(), StepError> {
        let _turn = self.disturber().links.lock().await;
        // From here on nothing has a say in what holds.
        self.disturber().end_all();
        for link in directions(from, to, both) {
            let base = self.scenario().network.toward(&link.from, &link.to);
            self.set_link(&link, base).await?;
        }
        Ok(())
    }

    async fn set_link(&self, link: &Link, conditions: Conditions) -> Result<(), StepError> {
        let none = || StepError::Infra("the unit has no network of its own".to_owned());
        let links = self.lab().links().cloned().ok_or_else(none)?;
        let (there, asked) = (link.clone(), conditions.clone());
        let set = move || links.set(&there.from, &there.to, asked);
        let set = tokio::task::spawn_blocking(set).await;
        let set = set.map_err(|error| StepError::Infra(error.to_string()))?;
        set.map_err(|error| StepError::Infra(chain(&error)))?;
        let now = self.now();
        let mut state = self.disturber().state();
        let in_force: Vec<usize> = state.begun.difference(&state.undoing).copied().collect();
        for id in in_force {
            let what = self.disturber().asked.get(id).map(|asked| &asked.disturbance.what);
            if what.is_some_and(|what| what.change_of(&link.from, &link.to).is_some()) {
                state.met.entry(id).or_default().push((link.clone(), conditions.clone()));
            }
        }
        state.stretches.begins(link, conditions, now);
        Ok(())
    }

    /// Says what was asked and measured of every direction; what was missed, or met nothing, is returned.
    pub(super) fn settle_links(&self) -> Option<String> {
        let links = self.lab().links()?;
        let accounts = match links.accounts() {
            Ok(accounts) => accounts,
            Err(error) => return Some(format!("no accounts of the links: {}", chain(&error))),
        };
        let mut missed = None;
        for account in &accounts {
            let lines: Vec<AccountLine> = account.judge().into_iter().map(account_line).collect();
            if lines.is_empty() {
                continue;
            }
            let link = Link::new(account.from.clone(), account.to.clone());
            if let Some(line) = lines.iter().find(|line| line.verdict == AccountVerdict::Missed) {
                let AccountLine { what, asked, measured, .. } = line;
                missed.get_or_insert(format!("{link}: {what}: asked {asked}, measured {measured}"));
            }
            let end = self.now();
            let stretches = &self.disturber().state().stretches;
            let (from, lasted) = stretches.in_force(&link, &account.asked, end);
            self.journal().say(RunEvent::Account {
                unit: self.journal().unit().clone(),
                subject: link.to_string(),
                from_us: micros(from),
                until_us: micros(from + lasted),
                lines,
            });
        }
        missed.or_else(|| self.met_nothing(&accounts))
    }

    /// A disturbance of a link on which nothing was under way while it was in force.
    fn met_nothing(&self, accounts: &[LinkAccount]) -> Option<String> {
        let state = self.disturber().state();
        let idle = state.met.iter().find(|(_, met)| {
            let packets = |(link, conditions): &(Link, Conditions)| {
                let is_it = |account: &&LinkAccount| {
                    account.from == link.from
                        && account.to == link.to
                        && (account.asked == *conditions || account.is_mixed)
                };
                accounts.iter().filter(is_it).map(|account| account.account.packets).sum::<u64>()
            };
            met.iter().map(packets).sum::<u64>() == 0
        });
        let (id, _) = idle?;
        let asked = self.disturber().asked.get(*id)?;
        Some(format!("line {}: {}: nothing was under way meanwhile", asked.line, asked.disturbance))
    }

    /// Every direction between two roles.
    fn directions(&self) -> Vec<Link> {
        let roles: Vec<&str> = self.scenario().roles.keys().map(RoleName::as_str).collect();
        let pairs = roles.iter().flat_map(|from| roles.iter().map(move |to| (*from, *to)));
        pairs.filter(|(from, to)| from != to).map(|(from, to)| Link::new(from, to)).collect()
    }

    /// What of everything that the scenario asks of links a proxy between streams can only approximate.
    fn approximated(&self) -> Vec<String> {
        let mut asked = Vec::new();
        for link in self.directions() {
            let base = self.scenario().network.toward(&link.from, &link.to);
            let changes = self.scenario().disturbances.iter();
            let changes = changes.filter_map(|one| one.what.change_of(&link.from, &link.to));
            asked.extend(changes.map(|change| change.over(&base)));
            asked.push(base);
        }
        let approximated = asked.iter().flat_map(Conditions::approximated);
        let mut texts: Vec<String> =
            approximated.map(|one| format!("{} ({})", one.what, one.how)).collect();
        texts.sort();
        texts.dedup();
        texts
    }
}

fn directions(from: &str, to: &str, both: bool) -> Vec<Link> {
    let mut links = vec![Link::new(from, to)];
    if both {
        links.push(Link::new(to, from));
    }
    links
}

fn means(links: &Links) -> NetworkMeans {
    match links.means() {
        handfast_lab::net::Means::Namespaces => NetworkMeans::Namespaces,
        handfast_lab::net::Means::Rootless => NetworkMeans::Rootless,
        handfast_lab::net::Means::Proxies { why } => NetworkMeans::Proxies { why },
    }
}

#[cfg(test)]
mod tests {
    use handfast_faults::conditions::{ConditionsPatch, Cut};

    use super::*;

    #[test]
    fn the_same_conditions_count_together_over_all_their_stretches() {
        let mut stretches = Stretches::default();
        let link = Link::new("a", "b");
        let clear = Conditions::default();
        let cut = ConditionsPatch::cut(Cut::Silent).over(&clear);
        let second = Duration::from_secs(1);
        for (at, conditions) in [(0, &clear), (2, &cut), (3, &clear), (7, &cut)] {
            stretches.begins(&link, conditions.clone(), at * second);
        }
        assert_eq!(stretches.in_force(&link, &cut, 9 * second), (2 * second, 3 * second));
        assert_eq!(stretches.in_force(&link, &clear, 9 * second), (Duration::ZERO, 6 * second));
        let other = Link::new("b", "a");
        assert_eq!(stretches.in_force(&other, &cut, 9 * second), (9 * second, Duration::ZERO));
    }
}
