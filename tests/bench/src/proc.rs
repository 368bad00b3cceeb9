//! What the operating system says of a process.

use anyhow::Context as _;

/// Clock ticks a second of `/proc/<pid>/stat` on every Linux that Rollcall runs on.
const TICKS_PER_S: f64 = 100.0;

/// CPU seconds that a process has used, user and system, all threads.
pub(crate) fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold blanks; utime and stime are fields 14 and 15 of the whole line.
    let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).context("stat is short")?.parse::<f64>().context("not a number");
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// Resident memory of a process, bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kb: u64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
    Ok(kb * 1024)
}
