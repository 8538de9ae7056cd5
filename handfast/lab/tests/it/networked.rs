//! Units with a network of their own: peers, the tap and the links between them.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_faults::conditions::{ConditionsPatch, Cut, Delay};
use handfast_faults::{Conditions, Link};
use handfast_lab::net::{Ask, Means};
use handfast_lab::{NetworkConfig, Unit, UnitConfig};

use crate::support::{LONG, TestLab, marked, role, wait_for_the_end_of};
use crate::taps::Client;

const DELAY: Duration = Duration::from_millis(30);

fn slow() -> Conditions {
    Conditions { delay: Delay::constant(DELAY), ..Conditions::default() }
}

/// Three roles whose links take their time each way.
async fn unit(lab: &TestLab, ask: Ask) -> Unit {
    let names = ["a", "b", "c"];
    let links = names.iter().flat_map(|from| names.iter().map(move |to| (*from, *to)));
    let links = links.filter(|(from, to)| from != to);
    let base: BTreeMap<Link, Conditions> =
        links.map(|(from, to)| (Link::new(from, to), slow())).collect();
    let config = UnitConfig {
        name: "test unit".to_owned(),
        roles: names.iter().map(|name| role(name, "good")).collect(),
        network: Some(NetworkConfig { ask, base, seed: 7, capture: None }),
        ..UnitConfig::default()
    };
    lab.lab.unit(config).await.unwrap()
}

async fn post(unit: &Unit, from: &str, to: &str, body: &str) -> std::io::Result<(u16, String)> {
    let stream = unit.tap().connect(&Link::new(from, to)).await?;
    let mut client = Client::over(stream);
    let posted = tokio::time::timeout(LONG, client.post("/message", body)).await;
    posted.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

/// What holds of a unit's network by whichever means it is made.
async fn check(ask: Ask, means: Means) {
    let lab = TestLab::open();
    let unit = unit(&lab, ask).await;
    assert_eq!(unit.links().unwrap().means(), means);
    let (b, c) = tokio::join!(unit.start("b"), unit.start("c"));
    let (b, _c) = (b.unwrap(), c.unwrap());

    let clock = unit.evidence().clock();
    let began_us = clock.now_us();
    assert_eq!(post(&unit, "a", "b", "x").await.unwrap(), (200, "x".to_owned()));
    let took = Duration::from_micros(clock.now_us() - began_us);
    assert!(took >= 2 * DELAY, "there and back: {took:?}");
    assert_eq!(post(&unit, "c", "b", "y").await.unwrap().0, 200);

    let cut = ConditionsPatch::cut(Cut::Reset).over(&slow());
    unit.links().unwrap().set("a", "b", cut.clone()).unwrap();
    assert!(post(&unit, "a", "b", "z").await.is_err());
    assert_eq!(post(&unit, "c", "b", "z").await.unwrap().0, 200, "another direction is as it was");
    unit.links().unwrap().set("a", "b", slow()).unwrap();
    assert_eq!(post(&unit, "a", "b", "again").await.unwrap().0, 200);

    // Started again on the same address, and reached there.
    let address = b.initialized().address().unwrap().to_owned();
    unit.kill("b").await.unwrap();
    let b = unit.start("b").await.unwrap();
    assert_eq!(b.initialized().address().unwrap(), address);
    assert_eq!(post(&unit, "a", "b", "back").await.unwrap().0, 200);

    let accounts = unit.links().unwrap().accounts().unwrap();
    let packets = |from: &str, asked: &Conditions| {
        let of = accounts.iter().filter(|one| one.from == from && one.to == "b");
        of.filter(|one| one.asked == *asked).map(|one| one.account.packets).sum::<u64>()
    };
    assert!(packets("a", &slow()) > 0 && packets("c", &slow()) > 0, "{accounts:?}");
    assert!(packets("a", &cut) > 0 && packets("c", &cut) == 0, "{accounts:?}");
    let report = unit.close().await;
    assert!(report.clean, "{report:?}");
    // The holder of the namespaces ends by itself when the unit lets go of it.
    wait_for_the_end_of(&marked(&lab.run));
    lab.check_nothing_is_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "what the host does not give is said by name")]
async fn peers_in_namespaces_reach_each_other_under_the_conditions_of_their_links() {
    let lab = TestLab::open();
    let means = lab.lab.means(&Ask::Auto).await;
    drop(lab);
    match means {
        Means::Namespaces | Means::Rootless => check(Ask::Auto, means).await,
        // Said by name, and the fallback is asserted in its place.
        Means::Proxies { why } => {
            println!("no network namespaces on this host: {why}");
            check(Ask::Proxies { why: why.clone() }, Means::Proxies { why }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_namespaces_streams_are_under_the_same_conditions() {
    let why = "a test asks for it".to_owned();
    check(Ask::Proxies { why: why.clone() }, Means::Proxies { why }).await;
}
