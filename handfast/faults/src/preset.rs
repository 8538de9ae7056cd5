//! Named conditions of real links, each with the source of its numbers.
//!
//! A source gives a round trip and rates; half of the round trip is the delay of each direction. Where it says nothing of
//! the queue before the bottleneck, that is [`Queue::usual`]; where it says nothing of loss, there is none. `up` is what
//! the one at the end of the link sends, `down` what it receives.

use std::time::Duration;

use thiserror::Error;

use crate::conditions::{Conditions, Delay, Loss, Queue, Rate, Reorder, Shape};
use crate::dice::Chance;

/// A real link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// How scenario files call it.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// From the one at its end into the network.
    pub up: Conditions,
    /// From the network to the one at its end.
    pub down: Conditions,
    /// Where the numbers come from.
    pub source: &'static str,
}

/// Finds a preset.
///
/// # Errors
///
/// [`UnknownPreset`] names those that are spelled alike, or all.
pub fn preset(name: &str) -> Result<&'static Preset, UnknownPreset> {
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let names = PRESETS.iter().map(|preset| preset.name);
        let alike: Vec<_> = names.clone().filter(|known| is_alike(name, known)).collect();
        let known = if alike.is_empty() { names.collect() } else { alike };
        UnknownPreset { name: name.to_owned(), known }
    })
}

/// No preset has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no link is called {name:?}; there is {}", known.join(", "))]
pub struct UnknownPreset {
    /// The name.
    pub name: String,
    /// Those that are spelled alike, or all.
    pub known: Vec<&'static str>,
}

/// Every preset, from the slowest link to the farthest.
pub const PRESETS: &[Preset] = &[
    access("dial-up", "a modem", (30, 49, 120), WEB_PAGE_TEST),
    access("edge", "2.75G", (200, 240, 840), WEB_PAGE_TEST),
    access("2g", "2G", (256, 280, 800), WEB_PAGE_TEST),
    access("3g-slow", "3G at its worst", (400, 400, 400), WEB_PAGE_TEST),
    access("3g", "3G", (768, 1_600, 300), WEB_PAGE_TEST),
    access("3g-fast", "3G at its best, 4G at its worst", (768, 1_600, 150), LIGHTHOUSE),
    access("4g", "4G", (9_000, 9_000, 170), WEB_PAGE_TEST),
    access("lte", "LTE", (12_000, 12_000, 70), WEB_PAGE_TEST),
    access("dsl", "ADSL", (384, 1_500, 50), WEB_PAGE_TEST),
    access("cable", "cable television", (1_000, 5_000, 28), WEB_PAGE_TEST),
    access("fiber", "fibre to the home", (5_000, 20_000, 4), WEB_PAGE_TEST),
    access("satellite", "a geostationary satellite", (10_000, 100_000, 600), SATCOM),
    Preset {
        name: "starlink",
        about: "a satellite in low orbit",
        up: LOW_ORBIT,
        down: LOW_ORBIT,
        source: STARLINK,
    },
    path("transatlantic", "New York and Paris", 78_330, WONDER_PROXY),
    path("transpacific", "Fremont and Sydney", 184_910, WONDER_PROXY),
    path("antipodes", "Paris and Sydney", 348_840, WONDER_PROXY),
    Preset {
        name: "3g-lossy",
        about: "3G that loses packets",
        up: lossy(330, 100, 10),
        down: lossy(780, 100, 10),
        source: WEB_RTC,
    },
    Preset {
        name: "very-bad",
        about: "next to no network",
        up: lossy(95, 250, 20),
        down: lossy(95, 250, 20),
        source: WEB_RTC,
    },
];

const WEB_PAGE_TEST: &str =
    "WebPageTest, its list of connection profiles (connectivity.ini): rates and round trip";
const LIGHTHOUSE: &str = "WebPageTest, \"3GFast\", which Lighthouse takes for its slow mobile network \
     (core/config/constants.js, mobileSlow4G: 150 ms; its rates are 1.6 Mbit/s and 750 kbit/s)";
const SATCOM: &str = "F. Michel, M. Trevisan, D. Giordano, O. Bonaventure, \"A first look at Starlink performance\", \
     IMC 2022: the geostationary access it compares with, least round trip 600 ms, subscribed rates 100 and 10 Mbit/s";
const STARLINK: &str = "F. Michel, M. Trevisan, D. Giordano, O. Bonaventure, \"A first look at Starlink performance\", \
     IMC 2022, in the authors' summary (APNIC blog, 28 November 2022): round trip to European anchors 40, 50 and 60 ms \
     at the quartiles, taken as normal; no rate, because it is beyond what peers under test send";
const WONDER_PROXY: &str = "P. Reinheimer, \"Miles per millisecond: a look at the WonderProxy network\", 9 February 2011: \
     measured round trip between the two cities";
const WEB_RTC: &str = "WebRTC, tools/network_emulator, \"3G, Lossy Network\" and \"Generic, Bad\", after presets of Apple's Network \
     Link Conditioner: rates, delay of each direction, loss, a queue of 100 packets";

/// Quartiles of a round trip 10 ms from its median are those of a normal distribution with 14.8 ms, of which each
/// direction has its share: 14.8 / sqrt(2).
const LOW_ORBIT: Conditions = Conditions {
    delay: Delay {
        base: Duration::from_millis(25),
        jitter: Duration::from_micros(10_480),
        shape: Shape::Normal,
        // Packets of one moment take the same way (guessed: a path that lasts some packets).
        correlation: Chance::per_mille(900),
        keeps_order: true,
    },
    ..CLEAR
};

const CLEAR: Conditions = Conditions {
    delay: Delay::constant(Duration::ZERO),
    loss: Loss::None,
    duplicate: Chance::NEVER,
    corrupt: Chance::NEVER,
    renew_checksums: false,
    reorder: Reorder { chance: Chance::NEVER, by: Duration::ZERO },
    rate: None,
    mtu: None,
    dead_flows: Chance::NEVER,
    cut: None,
};

/// A link to the network with rates in kbit/s (up, down) and a round trip in milliseconds.
const fn access(
    name: &'static str,
    about: &'static str,
    (up, down, round_trip_ms): (u64, u64, u64),
    source: &'static str,
) -> Preset {
    let delay = Duration::from_micros(round_trip_ms * 500);
    Preset { name, about, up: limited(up, delay), down: limited(down, delay), source }
}

/// A path with a round trip in microseconds.
const fn path(
    name: &'static str,
    about: &'static str,
    round_trip_us: u64,
    source: &'static str,
) -> Preset {
    let delay = Delay::constant(Duration::from_micros(round_trip_us / 2));
    let way = Conditions { delay, ..CLEAR };
    Preset { name, about, up: Conditions { delay, ..CLEAR }, down: way, source }
}

const fn limited(kbit_per_s: u64, delay: Duration) -> Conditions {
    let bits_per_s = kbit_per_s * 1_000;
    let rate = Rate { bits_per_s, queue: Queue::usual(bits_per_s) };
    Conditions { delay: Delay::constant(delay), rate: Some(rate), ..CLEAR }
}

/// As WebRTC has it: a rate in kbit/s, the delay of one direction in milliseconds, losses of a thousand.
const fn lossy(kbit_per_s: u64, delay_ms: u64, per_mille: u32) -> Conditions {
    let rate = Rate { bits_per_s: kbit_per_s * 1_000, queue: Queue::Bytes(150_000) };
    let delay = Delay::constant(Duration::from_millis(delay_ms));
    let loss = Loss::Independent(Chance::per_mille(per_mille));
    Conditions { delay, loss, rate: Some(rate), ..CLEAR }
}

/// Whether two names begin alike, or one is within the other.
fn is_alike(name: &str, known: &str) -> bool {
    let name = name.to_lowercase();
    let head = name.chars().take(3).collect::<String>();
    !head.is_empty() && (known.starts_with(&head) || known.contains(&name) || name.contains(known))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_preset_is_valid_has_a_name_of_its_own_and_a_source() {
        let names: BTreeSet<_> = PRESETS.iter().map(|preset| preset.name).collect();
        assert_eq!(names.len(), PRESETS.len());
        for preset in PRESETS {
            for way in [&preset.up, &preset.down] {
                assert_eq!(way.check(), Ok(()), "{}", preset.name);
                assert!(!way.are_clear(), "{}", preset.name);
            }
            assert!(preset.source.len() > 20 && !preset.about.is_empty(), "{}", preset.name);
        }
    }

    #[test]
    fn a_preset_is_found_by_its_name_and_a_slip_names_its_neighbours() {
        let lte = preset("lte").unwrap();
        assert_eq!(lte.up.to_string(), "delay 35ms, rate 12Mbit/s with a queue of 100ms");
        let error = preset("3G").unwrap_err().to_string();
        assert_eq!(error, "no link is called \"3G\"; there is 3g-slow, 3g, 3g-fast, 3g-lossy");
        assert_eq!(preset("zebra").unwrap_err().known.len(), PRESETS.len());
    }

    #[test]
    fn the_page_shows_every_preset_with_its_numbers_and_its_source() {
        let page = include_str!("../../../docs/design/faults.md");
        for Preset { name, about, up, down, source } in PRESETS {
            let ways = if up == down { up.to_string() } else { format!("up {up}; down {down}") };
            let row = format!("| `{name}` | {about} | {ways} | {source} |");
            assert!(page.contains(&row), "docs/design/faults.md lacks the row\n{row}");
        }
    }

    #[test]
    fn half_of_the_round_trip_is_each_way() {
        let dsl = preset("dsl").unwrap();
        assert_eq!((dsl.up.delay.base, dsl.down.delay.base).0, Duration::from_millis(25));
        assert_eq!(dsl.up.rate.unwrap().bits_per_s, 384_000);
        assert_eq!(dsl.down.rate.unwrap().bits_per_s, 1_500_000);
        let ocean = preset("transatlantic").unwrap();
        assert_eq!(ocean.up.delay.base + ocean.down.delay.base, Duration::from_micros(78_330));
    }
}
