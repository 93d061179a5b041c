//! The memory of this process, as Linux tells it; elsewhere nothing is told.

use frostline::data::cache::free_memory_bytes;

/// Resident, peak and file-backed memory in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status {
    resident_kib: u64,
    peak_kib: u64,
    file_kib: u64,
}

impl Status {
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Self {
            resident_kib: field("VmRSS:")?,
            peak_kib: field("VmHWM:")?,
            file_kib: field("RssFile:")?,
        })
    }
}

/// Memory of the process now, in MiB.
pub fn resident_mib() -> Option<f64> {
    Some(Status::read()?.resident_kib as f64 / 1024.0)
}

/// Memory of the machine in MiB.
pub fn total_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Memory that is left for this process in MiB: of the machine or its container, and of a limit that the process was
/// started with.
pub fn available_mib() -> f64 {
    let free = free_memory_bytes() as f64 / f64::from(1 << 20);
    match left_kib() {
        Some(kib) => free.min(kib / 1024.0),
        None => free,
    }
}

/// KiB of address space that the process may still take; none without a limit.
fn left_kib() -> Option<f64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: f64 = line.split_whitespace().next()?.parse().ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let taken = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))?;
    let taken: f64 = taken.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((limit / 1024.0 - taken).max(0.0))
}

/// How much more memory the process holds at its peak than it held when this was made.
#[derive(Debug)]
pub struct PeakGrowth {
    idle: Option<Status>,
}

impl PeakGrowth {
    /// Starts now, while the program is idle.
    pub fn start() -> Self {
        // The peak becomes what is resident now. Where that is not allowed, a peak that does not
        // rise above the old one says nothing, and `mib` tells nothing.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self {
            idle: Status::read(),
        }
    }

    /// Growth of the peak so far in MiB, without the pages of the program's own file that were read meanwhile.
    pub fn mib(&self) -> Option<f64> {
        growth_mib(self.idle?, Status::read()?)
    }
}

fn growth_mib(idle: Status, now: Status) -> Option<f64> {
    if now.peak_kib == idle.peak_kib {
        return None;
    }
    let grown = now.peak_kib as f64 - idle.resident_kib as f64;
    Some((grown - (now.file_kib as f64 - idle.file_kib as f64)) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: &str =
        "Name:\tfrostline\nVmHWM:\t  20480 kB\nVmRSS:\t   18432 kB\nRssFile:\t    8192 kB\n";

    #[test]
    fn growth_is_the_peak_over_idle_without_code_pages() {
        let idle = Status::parse(IDLE).unwrap();
        let busy = Status {
            peak_kib: 18432 + 3072,
            file_kib: 8192 + 1024,
            ..idle
        };
        assert_eq!(growth_mib(idle, busy), Some(2.0));
        assert_eq!(growth_mib(idle, idle), None, "the old peak says nothing");
    }

    #[test]
    fn another_kernels_words_tell_nothing() {
        assert_eq!(Status::parse("VmRSS:\t 1 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_touched_counts() {
        let growth = PeakGrowth::start();
        let touched = std::hint::black_box(vec![1u8; 64 << 20]);
        let grown = growth.mib().unwrap();
        assert!(grown >= 60.0, "{grown} MiB for {} bytes", touched.len());
    }
}
