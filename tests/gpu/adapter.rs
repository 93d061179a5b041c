//! The adapter that the tests run on.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::Device;
use frostline::device::{self, DeviceKind};

/// One test at a time: a software adapter uses all cores by itself.
static BUSY: Mutex<()> = Mutex::new(());

/// The machine's best adapter, real or software, for as long as a test holds it.
pub struct Adapter {
    pub device: Device,
    _busy: MutexGuard<'static, ()>,
}

/// Without an adapter the test says that it is skipped.
pub fn open() -> Option<Adapter> {
    let busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let found = device::list()
        .into_iter()
        .find(|info| info.kind != DeviceKind::Cpu);
    // Past the capture of passing tests: what was checked where must be seen.
    let mut log = std::io::stderr();
    let Some(info) = found else {
        let _ = writeln!(
            log,
            "skipped: no GPU adapter, real or software (Debian's mesa-vulkan-drivers brings one)"
        );
        return None;
    };
    let _ = writeln!(log, "on {} ({}, {})", info.id, info.name, info.kind);
    Some(Adapter {
        device: info.device,
        _busy: busy,
    })
}
