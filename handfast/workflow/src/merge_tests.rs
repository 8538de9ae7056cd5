use proptest::prelude::*;

use super::*;

fn file(regions: &[(&str, &str)]) -> Parts {
    let mut parts = vec![Part::Own("# top\n\n".to_owned())];
    for (index, (name, lines)) in regions.iter().enumerate() {
        parts.push(Part::Generated(Region::new(name, 0, lines)));
        let between = if index + 1 < regions.len() { "\n" } else { "" };
        parts.push(Part::Own(between.to_owned()));
    }
    Parts(parts)
}

fn edited(parts: &Parts, from: &str, to: &str) -> Parts {
    let text = parts.text();
    assert!(text.contains(from), "{from:?} in {text}");
    Parts::parse(&text.replacen(from, to, 1)).unwrap()
}

#[track_caller]
fn check(base: &Parts, ours: &Parts, generated: &Parts, expected: &str) {
    assert_eq!(merge(Some(base), ours, generated, None).unwrap(), expected);
}

#[test]
fn own_lines_stay_where_they_are() {
    let base = file(&[("a", "a: 1\n"), ("b", "b: 1\n")]);
    let ours = edited(&base, "# <<< handfast: a\n", "# <<< handfast: a\nmine: 1\n");
    let generated = file(&[("a", "a: 2\n"), ("b", "b: 1\n")]);
    check(&base, &ours, &generated, &ours.text().replace("a: 1", "a: 2"));
}

#[test]
fn a_region_that_is_new_follows_the_one_before_it() {
    let base = file(&[("a", "a: 1\n"), ("c", "c: 1\n")]);
    let ours = edited(&base, "# top", "# mine");
    let generated = file(&[("a", "a: 1\n"), ("b", "b: 1\n"), ("c", "c: 1\n")]);
    check(&base, &ours, &generated, &generated.text().replace("# top", "# mine"));
    let generated = file(&[("x", "x: 1\n"), ("a", "a: 1\n"), ("c", "c: 1\n"), ("d", "d: 1\n")]);
    check(&base, &ours, &generated, &generated.text().replace("# top", "# mine"));
}

#[test]
fn a_region_that_is_gone_takes_its_empty_line_with_it() {
    let base = file(&[("a", "a: 1\n"), ("b", "b: 1\n"), ("c", "c: 1\n")]);
    let ours = edited(&base, "# top", "# mine");
    let generated = file(&[("a", "a: 1\n"), ("c", "c: 1\n")]);
    check(&base, &ours, &generated, &generated.text().replace("# top", "# mine"));
}

#[test]
fn an_edit_within_a_region_is_merged_with_what_changed_elsewhere_in_it() {
    let base = file(&[("a", "one: 1\ntwo: 2\nthree: 3\nfour: 4\n")]);
    let ours = edited(&base, "one: 1", "one: 11");
    let generated = edited(&base, "four: 4", "four: 44");
    check(&base, &ours, &generated, &ours.text().replace("four: 4", "four: 44"));
}

#[test]
fn edits_that_meet_are_a_conflict_with_both_texts() {
    let base = file(&[("a", "one: 1\n")]);
    let (ours, generated) = (edited(&base, "one: 1", "one: 2"), edited(&base, "one: 1", "one: 3"));
    let conflicts = merge(Some(&base), &ours, &generated, None).unwrap_err();
    let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    assert_eq!((conflict.region.as_str(), conflict.line), ("a", Some(3)));
    assert!(conflict.ours.as_ref().unwrap().contains("one: 2"));
    assert!(conflict.generated.as_ref().unwrap().contains("one: 3"));
    let took = |take| merge(Some(&base), &ours, &generated, Some(take)).unwrap();
    assert_eq!(took(Take::Ours), ours.text());
    assert_eq!(took(Take::Generated), generated.text());
}

#[test]
fn two_insertions_at_one_place_are_a_conflict() {
    let base = file(&[("a", "one: 1\ntwo: 2\n")]);
    let ours = edited(&base, "one: 1\n", "one: 1\nx: 1\n");
    let generated = edited(&base, "one: 1\n", "one: 1\ny: 1\n");
    assert!(merge(Some(&base), &ours, &generated, None).is_err());
}

#[test]
fn a_region_that_was_taken_out_stays_out_until_it_changes() {
    let base = file(&[("a", "a: 1\n"), ("b", "b: 1\n")]);
    let ours = file(&[("a", "a: 1\n")]);
    check(&base, &ours, &base, &ours.text());
    let generated = edited(&base, "b: 1", "b: 2");
    let conflicts = merge(Some(&base), &ours, &generated, None).unwrap_err();
    assert_eq!((conflicts[0].line, &conflicts[0].ours), (None, &None));
    let took = merge(Some(&base), &ours, &generated, Some(Take::Generated)).unwrap();
    assert!(took.contains("b: 2"));
}

#[test]
fn whoever_takes_what_is_generated_gets_every_region_of_it() {
    let base = file(&[("a", "a: 1\n"), ("b", "b: 1\n"), ("c", "c: 1\n")]);
    let ours = edited(&file(&[("a", "a: 1\n"), ("c", "c: 1\n")]), "c: 1", "c: 2");
    check(&base, &ours, &base, &ours.text());
    for known in [Some(&base), None] {
        let took = merge(known, &ours, &base, Some(Take::Generated)).unwrap();
        assert_eq!(took, base.text());
    }
}

#[test]
fn own_lines_that_continue_a_region_stay_with_it() {
    let base = file(&[("a", "a:\n  x: 1\n"), ("c", "c: 1\n")]);
    let ours = edited(&base, "# <<< handfast: a\n", "# <<< handfast: a\n\n  # more\n  y: 2\n");
    let generated = file(&[("a", "a:\n  x: 1\n"), ("b", "b: 1\n"), ("c", "c: 1\n")]);
    let merged = ours.text().replace(
        "# >>> handfast: c",
        "# >>> handfast: b\nb: 1\n# <<< handfast: b\n\n# >>> handfast: c",
    );
    check(&base, &ours, &generated, &merged);
    let last = edited(&base, "c: 1\n# <<< handfast: c\n", "c:\n# <<< handfast: c\n  y: 2");
    let known = file(&[("a", "a:\n  x: 1\n"), ("c", "c:\n")]);
    let generated = file(&[("a", "a:\n  x: 1\n"), ("c", "c:\n"), ("d", "d: 1\n")]);
    let merged = format!("{}\n\n# >>> handfast: d\nd: 1\n# <<< handfast: d\n", last.text());
    check(&known, &last, &generated, &merged);
}

#[test]
fn a_region_that_own_lines_continue_does_not_go_in_silence() {
    let base = file(&[("a", "a: 1\n"), ("b", "b:\n  x: 1\n")]);
    let generated = file(&[("a", "a: 1\n")]);
    let with = |own: &str| {
        let end = "# <<< handfast: b\n";
        merge_all(&base, &edited(&base, end, &format!("{end}{own}")), &generated)
    };
    let [none, ours, took] = with("\n# more\n  y: 2\n");
    for conflicts in [none.unwrap_err(), took.unwrap_err()] {
        let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
        assert_eq!((conflict.region.as_str(), conflict.line), ("b", Some(7)));
        assert_eq!(conflict.continued.as_deref(), Some("  y: 2"));
    }
    assert!(ours.unwrap().contains("b:\n  x: 1\n# <<< handfast: b\n\n# more\n  y: 2\n"));
    for harmless in ["y: 2\n", "# more\n", "  # more\n", "\n\n"] {
        assert!(with(harmless).into_iter().all(|merged| merged.is_ok()), "{harmless:?}");
    }
}

/// The same with each answer to who wins.
fn merge_all(base: &Parts, ours: &Parts, generated: &Parts) -> [Result<String, Vec<Conflict>>; 3] {
    [None, Some(Take::Ours), Some(Take::Generated)]
        .map(|take| merge(Some(base), ours, generated, take))
}

#[test]
fn without_a_base_only_what_is_the_same_is_sure() {
    let ours = file(&[("a", "a: 1\n"), ("gone", "x: 1\n")]);
    let generated = file(&[("a", "a: 1\n"), ("b", "b: 1\n")]);
    let conflicts = merge(None, &ours, &generated, None).unwrap_err();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].region, "gone");
    assert_eq!(merge(None, &generated, &generated, None).unwrap(), generated.text());
}

/// Three generations of one file, of regions that come, go and change.
fn generations() -> impl Strategy<Value = (Parts, Parts)> {
    let lines = prop::collection::vec("[a-d]: [0-3]", 1..6);
    let version = prop::collection::vec(prop::option::weighted(0.7, lines), 6);
    (version.clone(), version).prop_map(|(one, other)| (regions(&one), regions(&other)))
}

fn regions(version: &[Option<Vec<String>>]) -> Parts {
    let named = version.iter().enumerate().filter_map(|(index, lines)| {
        Some((format!("r{index}"), format!("{}\n", lines.as_ref()?.join("\n"))))
    });
    let named: Vec<(String, String)> = named.collect();
    let named: Vec<(&str, &str)> =
        named.iter().map(|(name, lines)| (name.as_str(), lines.as_str())).collect();
    file(&named)
}

/// Lines of somebody's own, put somewhere between the regions.
fn with_own_lines(parts: &Parts, edits: &[(prop::sample::Index, String)]) -> (Parts, usize) {
    let mut parts = parts.clone();
    let mut put = 0;
    for (place, line) in edits {
        let own: Vec<usize> =
            (0..parts.0.len()).filter(|at| matches!(parts.0[*at], Part::Own(_))).collect();
        let at = own[place.index(own.len())];
        if let Part::Own(text) = &mut parts.0[at] {
            text.extend(["# own ", &put.to_string(), " ", line, "\n"]);
            put += 1;
        }
    }
    (parts, put)
}

fn own(text: &str) -> Vec<String> {
    let mut own: Vec<String> =
        text.lines().filter(|line| line.starts_with("# own")).map(str::to_owned).collect();
    own.sort();
    own
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn own_lines_survive_every_generation(
        (base, generated) in generations(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,12}"), 0..8),
    ) {
        let (ours, _) = with_own_lines(&base, &edits);
        let merged = merge(Some(&base), &ours, &generated, None).unwrap();
        prop_assert_eq!(own(&merged), own(&ours.text()));
        let merged = Parts::parse(&merged).unwrap();
        for region in generated.regions() {
            prop_assert_eq!(merged.region(&region.name), Some(region));
        }
        prop_assert_eq!(merged.regions().count(), generated.regions().count());
        prop_assert_eq!(merge(Some(&generated), &merged, &generated, None).unwrap(), merged.text());
    }

    #[test]
    fn whoever_changed_nothing_has_no_say((base, other) in generations()) {
        prop_assert_eq!(merge(Some(&base), &base, &other, None).unwrap(), other.text());
        prop_assert_eq!(merge(Some(&base), &other, &base, None).unwrap(), other.text());
        prop_assert_eq!(merge(Some(&base), &other, &other, None).unwrap(), other.text());
        prop_assert_eq!(merge(None, &other, &other, None).unwrap(), other.text());
    }

    #[test]
    fn a_conflict_is_never_settled_in_silence(
        base in prop::collection::vec("[a-c]", 1..8),
        ours in prop::collection::vec("[a-cx]", 0..8),
        generated in prop::collection::vec("[a-cy]", 0..8),
    ) {
        let text = |lines: &[String]| lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        let (base, ours, generated) = (text(&base), text(&ours), text(&generated));
        if let Some(merged) = lines(&base, &ours, &generated) {
            // What only one side has added is there as often as that side has it.
            let count = |text: &str, mark: &str| text.matches(mark).count();
            prop_assert_eq!(count(&merged, "x"), count(&ours, "x"), "{} {} {}", base, ours, generated);
            prop_assert_eq!(count(&merged, "y"), count(&generated, "y"));
        }
    }
}
