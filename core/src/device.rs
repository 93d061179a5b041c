//! Which device to compute on: a real GPU when there is one, else the CPU; a software GPU only when asked for.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::error::{Error, Result};

/// What `--device` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A real GPU when there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by its place in [`list`], the first one when none is named. Software adapters count, last.
    Gpu(Option<usize>),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        match lower.as_str() {
            "auto" | "" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "gpu" => return Ok(Self::Gpu(None)),
            _ => {}
        }
        let index = lower.strip_prefix("gpu:").unwrap_or(&lower);
        index.parse().map(|index| Self::Gpu(Some(index))).map_err(|_| {
            Error::input("--device", format!("{text:?}"), "auto, cpu, gpu or gpu:N", "`frostline devices` lists what this machine has")
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(index)) => write!(f, "gpu:{index}"),
        }
    }
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor, through Burn's flex backend.
    Cpu,
    /// A graphics card.
    Gpu,
    /// A graphics interface computed by the processor: for tests, slower than `Cpu`.
    Software,
}

/// A device of this machine.
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// What `--device` calls it: `cpu`, `gpu:0`, …
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// The device.
    pub device: Device,
}

/// A device that was chosen.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The device.
    pub info: DeviceInfo,
    /// Why it was chosen, for people.
    pub why: String,
}

/// The CPU.
pub fn cpu() -> DeviceInfo {
    DeviceInfo { id: "cpu".into(), name: "CPU (flex)".into(), kind: DeviceKind::Cpu, device: Device::flex() }
}

/// All graphics devices, real ones first. Opens each to learn its name.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
fn gpus() -> Vec<DeviceInfo> {
    use burn::tensor::DeviceType;
    let mut found: Vec<DeviceInfo> = Device::enumerate(DeviceType::Wgpu)
        .into_vec()
        .into_iter()
        .map(|device| {
            let identity = device.identity();
            let real = identity.as_ref().is_some_and(|identity| identity.physical.is_some());
            DeviceInfo {
                id: String::new(),
                name: identity.map_or_else(|| format!("{device:?}"), |identity| identity.name),
                kind: if real { DeviceKind::Gpu } else { DeviceKind::Software },
                device,
            }
        })
        .collect();
    found.sort_by_key(|info| info.kind == DeviceKind::Software);
    for (index, info) in found.iter_mut().enumerate() {
        info.id = format!("gpu:{index}");
    }
    found
}

#[cfg(not(all(feature = "gpu", not(target_arch = "wasm32"))))]
fn gpus() -> Vec<DeviceInfo> {
    Vec::new()
}

/// Every device: the CPU, then graphics devices, real ones first.
pub fn list() -> Vec<DeviceInfo> {
    let mut all = vec![cpu()];
    all.extend(gpus());
    all
}

/// Takes the device that `choice` asks for.
///
/// # Errors
/// When a GPU is asked for that does not exist.
pub fn choose(choice: DeviceChoice) -> Result<Chosen> {
    let wanted = match choice {
        DeviceChoice::Cpu => return Ok(Chosen { info: cpu(), why: "asked for".into() }),
        DeviceChoice::Gpu(index) => index.unwrap_or(0),
        DeviceChoice::Auto => {
            let gpus = gpus();
            let software = gpus.iter().any(|info| info.kind == DeviceKind::Software);
            return Ok(match gpus.into_iter().find(|info| info.kind == DeviceKind::Gpu) {
                Some(info) => Chosen { info, why: "the first real GPU".into() },
                None if software => {
                    Chosen { info: cpu(), why: "no real GPU found; the software GPU is slower than the CPU".into() }
                }
                None => Chosen { info: cpu(), why: "no GPU found".into() },
            });
        }
    };
    let gpus = gpus();
    let count = gpus.len();
    gpus.into_iter().nth(wanted).map(|info| Chosen { info, why: "asked for".into() }).ok_or_else(|| {
        Error::input(
            "--device",
            choice,
            match count {
                0 => "a machine with a Vulkan, Metal or DX12 driver".to_owned(),
                n => format!("gpu:0 to gpu:{}", n - 1),
            },
            "`frostline devices` lists what this machine has; --device cpu always works",
        )
    })
}

/// A failed device as the library's error.
pub(crate) fn failed(error: impl fmt::Display) -> Error {
    Error::input("the device", error, "a finished computation", "Try a smaller --batch-size or --device cpu")
}
