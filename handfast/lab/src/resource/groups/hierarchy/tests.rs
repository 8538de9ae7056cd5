use super::*;

const HYBRID: &str = "\
22 1 0:21 / /proc rw,relatime - proc proc rw
30 22 0:25 / /sys/fs/cgroup/cpu rw,relatime shared:3 - cgroup cgroup rw,cpu,cpuacct
31 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 22 0:27 / /sys/fs/cgroup/block\\040io rw - cgroup cgroup rw,blkio
33 22 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
";

#[test]
fn each_controller_is_found_where_it_is_mounted() {
    let groups = "5:blkio:/\n4:memory:/a/b\n3:cpu,cpuacct:/c\n1:name=systemd:/x\n0::/d\n";
    let found = Hierarchies::parse(HYBRID, groups);
    let wanted = BTreeSet::from([Controller::Cpu, Controller::Memory, Controller::Io]);
    let folders: Vec<PathBuf> =
        found.parents(&wanted).into_values().map(|parent| parent.unwrap().folder).collect();
    let expected = ["/sys/fs/cgroup/cpu/c", "/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/block io"];
    assert_eq!(folders, expected.map(PathBuf::from));
    let two = found.two.unwrap();
    assert_eq!(two.own, Path::new("/sys/fs/cgroup/unified/d"));
}

#[test]
fn a_container_sees_its_group_at_the_mount() {
    let mounts = "30 22 0:25 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
    let found = Hierarchies::parse(mounts, "3:cpu:/docker/1/below\n");
    assert_eq!(found.one[&Controller::Cpu], Path::new("/sys/fs/cgroup/cpu/below"));
}

#[test]
fn a_group_that_is_not_below_the_mount_is_not_there() {
    let mounts = "30 22 0:25 /docker/1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
    for path in ["/docker/2", "/", "/docker/1/../../x"] {
        let found = Hierarchies::parse(mounts, &format!("3:cpu:{path}\n"));
        assert_eq!(found, Hierarchies::default(), "{path}");
    }
}

#[test]
fn anything_else_is_nothing() {
    assert_eq!(Hierarchies::parse("x\n\n1 2 3\n", "::\nx\n3:cpu\n"), Hierarchies::default());
}

/// A hierarchy of version 2 in ordinary folders: what decides is only read.
struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    /// Each group with what it gives out.
    fn new(groups: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = Self { folder };
        for (group, given) in groups {
            fs::create_dir_all(tree.path(group)).unwrap();
            tree.write(group, "cgroup.subtree_control", given);
        }
        tree
    }

    fn path(&self, group: &str) -> PathBuf {
        self.folder.path().join(group)
    }

    fn write(&self, group: &str, file: &str, text: &str) {
        fs::write(self.path(group).join(file), text).unwrap();
    }

    fn hierarchies(&self, own: &str) -> Hierarchies {
        let mounts = format!("3 2 0:1 / {} rw - cgroup2 none rw\n", self.folder.path().display());
        Hierarchies::parse(&mounts, &format!("0::/{own}\n"))
    }

    #[track_caller]
    fn check(&self, own: &str, wanted: &[Controller], expected: &str) -> Parent {
        let wanted: BTreeSet<Controller> = wanted.iter().copied().collect();
        let parents = self.hierarchies(own).parents(&wanted);
        let parents: Vec<Parent> = parents.into_values().map(Result::unwrap).collect();
        assert!(parents.windows(2).all(|pair| pair[0] == pair[1]), "{parents:?}");
        assert_eq!(parents[0].folder, self.path(expected));
        parents[0].clone()
    }
}

#[test]
fn a_group_that_gives_out_nothing_is_climbed_past() {
    let tree = Tree::new(&[("", "cpu memory pids"), ("u", "memory pids"), ("u/session", "")]);
    tree.check("u/session", &[Controller::Memory, Controller::Pids], "u");
    // A process is in one group of version 2, so the rarest controller decides.
    tree.check("u/session", &[Controller::Memory, Controller::Cpu], "");
}

#[test]
fn the_limits_that_are_climbed_past_are_kept() {
    let tree = Tree::new(&[("", "pids"), ("u", ""), ("u/session", "")]);
    tree.write("u", "pids.max", "50\n");
    tree.write("u/session", "pids.max", "70\n");
    tree.write("u/session", "memory.max", "max\n");
    let parent = tree.check("u/session", &[Controller::Pids], "");
    assert_eq!(parent.inherited, BTreeMap::from([("pids.max", 50)]));
}

#[test]
fn a_share_of_the_processor_is_not_escaped_from() {
    let tree = Tree::new(&[("", "cpu"), ("u", "")]);
    tree.write("u", "cpu.max", "50000 100000\n");
    let parents = tree.hierarchies("u").parents(&BTreeSet::from([Controller::Cpu]));
    let why = parents[&Controller::Cpu].clone().unwrap_err();
    assert!(
        why.ends_with("/u limits the processor, and a group outside of it would escape"),
        "{why}"
    );
}

#[test]
fn a_controller_that_nobody_gives_out_is_named() {
    let tree = Tree::new(&[("", "memory"), ("u", "")]);
    let parents =
        tree.hierarchies("u").parents(&BTreeSet::from([Controller::Cpu, Controller::Memory]));
    assert_eq!(parents[&Controller::Memory].as_ref().unwrap().folder, tree.path(""));
    let why = parents[&Controller::Cpu].clone().unwrap_err();
    assert!(why.ends_with("gives out the controller cpu"), "{why}");
    let none = Hierarchies::default().parents(&BTreeSet::from([Controller::Io]));
    let why = none[&Controller::Io].clone().unwrap_err();
    assert_eq!(why, "no control group here has the controller io");
}
