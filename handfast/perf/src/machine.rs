//! The class of a machine: values of two classes are not compared.

/// The class that these texts describe, such as `x86_64, 2 cores, 8 GB, Intel Xeon`: architecture, `/proc/cpuinfo`, `/proc/meminfo`, and how many
/// cores may be used.
///
/// Memory is in powers of two, so that what the system keeps for itself makes no other class.
pub fn class(architecture: &str, cores: usize, cpuinfo: &str, meminfo: &str) -> String {
    let memory = memory_gb(meminfo).map_or_else(String::new, |memory| format!(", {memory} GB"));
    let model = model(cpuinfo).map_or_else(String::new, |model| format!(", {model}"));
    let plural = if cores == 1 { "core" } else { "cores" };
    format!("{architecture}, {cores} {plural}{memory}{model}")
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    let words: Vec<&str> = name.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" ").chars().take(MODEL_CHARS).collect())
}

fn memory_gb(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.div_ceil(1024 * 1024).next_power_of_two())
}

const MODEL_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_what_values_depend_on() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some  CPU @ 2.00GHz\n";
        assert_eq!(
            class("x86_64", 2, cpuinfo, "MemTotal:        7902184 kB\n"),
            "x86_64, 2 cores, 8 GB, Some CPU @ 2.00GHz"
        );
        assert_eq!(class("aarch64", 1, "", ""), "aarch64, 1 core");
    }
}
