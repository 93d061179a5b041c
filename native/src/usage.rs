//! What an epoch of training took of the machine: time, waiting, processor, memory of the process and of
//! the device.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use frostline::{Error, Result};

use crate::memory;

const HEADER: &str = "epoch,seconds,steps,step_ms,compute_share,cpu_share,process_mib,device_allocated_mib,device_reserved_mib";
/// Linux counts processor time in hundredths of a second, on every architecture.
const TICKS_PER_S: f64 = 100.0;

/// Watches the steps of one epoch.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    cpu_s: Option<f64>,
    waited: Duration,
}

/// What the steps of one epoch took, validation apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochUsage {
    pub epoch: usize,
    pub seconds: f64,
    pub steps: usize,
    /// Share of the time in which the step had its pictures.
    pub compute_share: f64,
    /// Busy share of all cores; nothing where the system does not tell.
    pub cpu_share: Option<f64>,
    /// Memory of the process at the epoch's end.
    pub process_mib: Option<f64>,
    /// Bytes in use and reserved on the device, where it has memory of its own.
    pub device_mib: Option<[f64; 2]>,
}

impl Meter {
    /// Starts now.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            cpu_s: cpu_seconds(),
            waited: Duration::ZERO,
        }
    }

    /// Takes what `next` gives; the time until then counts as waiting.
    pub fn wait<T>(&mut self, next: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let item = next();
        self.waited += started.elapsed();
        item
    }

    /// What it took since the start, for `steps` steps on `device`.
    pub fn read(&self, epoch: usize, steps: usize, device: &Device) -> EpochUsage {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu = self.cpu_s.zip(cpu_seconds());
        EpochUsage {
            epoch,
            seconds,
            steps,
            compute_share: (1.0 - self.waited.as_secs_f64() / seconds).max(0.0),
            cpu_share: cpu.map(|(before, after)| (after - before) / seconds / cores as f64),
            process_mib: memory::resident_mib(),
            device_mib: device
                .memory_pool_usage()
                .map(|usage| [usage.bytes_in_use, usage.bytes_reserved].map(mebibytes)),
        }
    }
}

impl EpochUsage {
    /// Milliseconds of a step, waiting included.
    pub fn step_ms(&self) -> f64 {
        self.seconds * 1e3 / self.steps.max(1) as f64
    }

    fn line(&self) -> String {
        let optional =
            |value: Option<f64>, digits| value.map_or(String::new(), |v| format!("{v:.digits$}"));
        let [allocated, reserved] = [0, 1].map(|i| self.device_mib.map(|mib| mib[i]));
        format!(
            "{},{:.3},{},{:.2},{:.3},{},{},{},{}",
            self.epoch,
            self.seconds,
            self.steps,
            self.step_ms(),
            self.compute_share,
            optional(self.cpu_share, 3),
            optional(self.process_mib, 1),
            optional(allocated, 1),
            optional(reserved, 1),
        )
    }
}

/// In a sentence for people.
impl std::fmt::Display for EpochUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} ms a step, {:.0} % of it computing",
            self.step_ms(),
            self.compute_share * 100.0
        )?;
        if let Some(share) = self.cpu_share {
            write!(f, ", processor {:.0} %", share * 100.0)?;
        }
        if let Some(mib) = self.process_mib {
            write!(f, ", process {mib:.0} MiB")?;
        }
        if let Some([allocated, reserved]) = self.device_mib {
            write!(
                f,
                ", device {allocated:.0} MiB in use of {reserved:.0} MiB reserved"
            )?;
        }
        Ok(())
    }
}

/// `usage.csv`, one line per epoch. An epoch that was interrupted has a line for each part.
#[derive(Debug)]
pub struct UsageLog {
    path: PathBuf,
}

impl UsageLog {
    /// Appends to the file, which begins with a header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: PathBuf) -> Result<Self> {
        if !path.exists() {
            std::fs::write(&path, format!("{HEADER}\n")).map_err(Error::io(&path))?;
        }
        Ok(Self { path })
    }

    /// Appends an epoch.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, usage: &EpochUsage) -> Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&self.path)
            .map_err(Error::io(&self.path))?;
        writeln!(file, "{}", usage.line()).map_err(Error::io(&self.path))
    }
}

/// The epochs of a `usage.csv`. Of an epoch that was interrupted the last part stays.
///
/// # Errors
/// When it cannot be read, with the line that is none.
pub fn read(path: &std::path::Path) -> Result<Vec<EpochUsage>> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    let mut epochs: Vec<EpochUsage> = vec![];
    for (number, line) in text.lines().enumerate().skip(1) {
        let usage = parse(line).ok_or_else(|| {
            Error::input(
                format!("{}:{}", path.display(), number + 1),
                line,
                HEADER,
                "Delete the line",
            )
        })?;
        epochs.retain(|known| known.epoch < usage.epoch);
        epochs.push(usage);
    }
    Ok(epochs)
}

fn parse(line: &str) -> Option<EpochUsage> {
    let cells: Vec<&str> = line.split(',').collect();
    let [
        epoch,
        seconds,
        steps,
        _,
        compute,
        cpu,
        process,
        allocated,
        reserved,
    ] = cells[..]
    else {
        return None;
    };
    let optional = |cell: &str| match cell {
        "" => Some(None),
        cell => cell.parse().ok().map(Some),
    };
    let device: Option<f64> = optional(allocated)?;
    Some(EpochUsage {
        epoch: epoch.parse().ok()?,
        seconds: seconds.parse().ok()?,
        steps: steps.parse().ok()?,
        compute_share: compute.parse().ok()?,
        cpu_share: optional(cpu)?,
        process_mib: optional(process)?,
        device_mib: device.zip(optional(reserved)?).map(|(a, r)| [a, r]),
    })
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Processor time of all threads of this process, as Linux tells it.
fn cpu_seconds() -> Option<f64> {
    parse_cpu(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse_cpu(stat: &str) -> Option<f64> {
    // The second field, the program's name, may hold spaces and brackets.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_of_the_process_and_the_system_for_it() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 3 0 100";
        assert_eq!(parse_cpu(stat), Some(4.0));
        assert_eq!(parse_cpu("7 no brackets"), None);
    }

    #[test]
    fn time_without_pictures_is_no_computing() {
        let mut meter = Meter::start();
        meter.wait(|| std::thread::sleep(Duration::from_millis(30)));
        let usage = meter.read(0, 2, &Device::flex());
        assert!(usage.compute_share < 0.5, "{usage:?}");
        assert!(usage.step_ms() >= 15.0, "{usage:?}");
        assert_eq!(usage.device_mib, None);
    }

    #[test]
    fn a_line_has_a_cell_for_every_column() {
        let usage = EpochUsage {
            epoch: 3,
            seconds: 2.0,
            steps: 8,
            compute_share: 0.9,
            cpu_share: None,
            process_mib: Some(120.0),
            device_mib: None,
        };
        assert_eq!(usage.line(), "3,2.000,8,250.00,0.900,,120.0,,");
        assert_eq!(usage.line().split(',').count(), HEADER.split(',').count());
        let folder = tempfile::tempdir().unwrap();
        let log = UsageLog::open(folder.path().join("usage.csv")).unwrap();
        log.append(&usage).unwrap();
        let again = UsageLog::open(folder.path().join("usage.csv")).unwrap();
        again.append(&usage).unwrap();
        let text = std::fs::read_to_string(folder.path().join("usage.csv")).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert_eq!(read(&folder.path().join("usage.csv")).unwrap(), [usage]);
        std::fs::write(folder.path().join("usage.csv"), format!("{HEADER}\n1,x\n")).unwrap();
        let error = read(&folder.path().join("usage.csv"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("usage.csv:2"), "{error}");
    }
}
