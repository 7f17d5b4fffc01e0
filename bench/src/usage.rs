//! What processes use, as the system counts it.
use std::collections::BTreeMap;
use std::fs;

/// Ticks of the processor clock in a second: what Linux shows to programs, whatever it counts in itself.
const TICKS: f64 = 100.0;

/// Processes by name; a server is all its processes together.
pub(crate) type Processes = BTreeMap<String, Vec<u32>>;

/// CPU seconds used so far, by name.
pub(crate) fn cpu(processes: &Processes) -> BTreeMap<String, f64> {
    each(processes, |pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; the numbers follow it.
        let numbers: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Our own user and system time, and those of children that have ended.
        let ticks: f64 = numbers.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Some(ticks / TICKS)
    })
}

/// Resident memory in MiB, by name. What processes of one server share is counted for each.
pub(crate) fn memory(processes: &Processes) -> BTreeMap<String, f64> {
    each(processes, |pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
    })
}

fn each(processes: &Processes, count: impl Fn(u32) -> Option<f64>) -> BTreeMap<String, f64> {
    let of = |pids: &Vec<u32>| pids.iter().filter_map(|pid| count(*pid)).sum();
    processes.iter().map(|(name, pids)| (name.clone(), of(pids))).collect()
}

/// A process and its children.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    [pid].into_iter().chain(children.flat_map(family)).collect()
}
