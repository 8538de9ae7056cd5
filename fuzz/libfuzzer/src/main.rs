//! One target under libFuzzer: the one that the variable `FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Target, check, targets};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    targets::named(&name).unwrap_or_else(|| {
        let names = targets::ALL.map(|target| target.name).join(", ");
        panic!("FUZZ_TARGET={name:?} names no target; there are {names}")
    })
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(finding) = check(&TARGET, input) {
        panic!("{finding}");
    }
});
