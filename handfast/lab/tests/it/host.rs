//! What a host can do is tried for real, and nothing of it stays.

use handfast_lab::Host;
use handfast_lab::host::State;

use crate::support::STAND_IN;

#[test]
fn everything_is_tried_once_and_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let host =
        Host::examine(folder.path(), &[STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()]);
    let names: Vec<&str> = host.abilities.iter().map(|ability| ability.name).collect();
    assert_eq!(names, Host::NAMES);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    for ability in &host.abilities {
        assert!(!ability.found.is_empty(), "{ability:?}");
        let lacks = ability.state != State::Can;
        assert_eq!(lacks, !ability.costs.is_empty() && !ability.remedy.is_empty(), "{ability:?}");
    }
    assert!(host.cores > 0 && host.memory_bytes > 0 && !host.kernel.is_empty());
}
