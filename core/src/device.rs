//! Which device to compute on.
//!
//! `auto` takes a real GPU and never a software adapter (lavapipe, WARP, SwiftShader), because the
//! CPU backend computes faster than a GPU that is imitated on the CPU.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::error::{Error, Result};

/// What a person asks for with `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A real GPU when there is one, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The best adapter, a software one only where there is no real GPU; or the adapter with this
    /// number in [`list`].
    Gpu(Option<usize>),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    /// `auto`, `cpu`, `gpu`, `gpu:N`; also what the reference's users type: `0`, `cuda:0`, `mps`.
    fn from_str(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let (word, number) = match lower.split_once(':') {
            Some((word, number)) => (word, Some(number)),
            None if lower.starts_with(|c: char| c.is_ascii_digit()) => ("gpu", Some(&*lower)),
            None => (&*lower, None),
        };
        let next = if lower.contains(',') {
            "Training runs on one device: name one of them"
        } else {
            "`frostline devices` lists what this machine has"
        };
        let refused = || {
            Error::input(
                "--device",
                format!("`{text}`"),
                "auto, cpu, gpu or gpu:N",
                next,
            )
        };
        match (word, number) {
            ("" | "auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("gpu" | "cuda" | "mps" | "metal" | "vulkan" | "wgpu", None) => Ok(Self::Gpu(None)),
            ("gpu" | "cuda", Some(number)) => match number.parse() {
                Ok(number) => Ok(Self::Gpu(Some(number))),
                Err(_) => Err(refused()),
            },
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(number)) => write!(f, "gpu:{number}"),
        }
    }
}

impl serde::Serialize for DeviceChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for DeviceChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What kind of processor a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A graphics card with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A GPU handed through to a virtual machine.
    VirtualGpu,
    /// An adapter that does not say what it is.
    OtherGpu,
    /// A GPU imitated in software on the CPU; never taken by `auto`.
    SoftwareGpu,
    /// The CPU backend.
    Cpu,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiscreteGpu => "discrete GPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::OtherGpu => "GPU",
            Self::SoftwareGpu => "software adapter",
            Self::Cpu => "CPU",
        })
    }
}

/// One device of this machine.
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// What `--device` calls it: `cpu`, `gpu:0`, …
    pub id: String,
    /// The part's own name.
    pub name: String,
    /// What kind of processor it is.
    pub kind: DeviceKind,
    /// The plain device, without autodiff.
    pub device: Device,
}

impl DeviceInfo {
    fn cpu() -> Self {
        Self {
            id: DeviceChoice::Cpu.to_string(),
            name: "flex, pure Rust with SIMD".to_owned(),
            kind: DeviceKind::Cpu,
            device: Device::flex(),
        }
    }
}

/// The device that a choice came to, and why.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The device.
    pub info: DeviceInfo,
    /// One sentence for the log.
    pub why: String,
}

/// Every device that this build can compute on: GPUs with the best kind first, software adapters
/// after them, the CPU last. Opens each adapter to learn its name. In a browser only the CPU is
/// listed, because an adapter there can be asked for asynchronously alone.
pub fn list() -> Vec<DeviceInfo> {
    let mut devices = gpus();
    // A stable sort: adapters of one kind keep the driver's order.
    devices.sort_by_key(|device| device.kind);
    for (number, device) in devices.iter_mut().enumerate() {
        device.id = DeviceChoice::Gpu(Some(number)).to_string();
    }
    devices.push(DeviceInfo::cpu());
    devices
}

/// Finds the device for a choice.
///
/// # Errors
/// A GPU was asked for and there is none, or none with that number.
pub fn choose(choice: DeviceChoice) -> Result<Chosen> {
    // Opening the graphics driver takes a moment and may print warnings: not for `--device cpu`.
    let listed = match choice {
        DeviceChoice::Cpu => vec![DeviceInfo::cpu()],
        DeviceChoice::Auto | DeviceChoice::Gpu(_) => list(),
    };
    choose_from(choice, listed)
}

/// Finds the device for a choice among those that [`list`] found.
///
/// # Errors
/// As [`choose`].
pub fn choose_from(choice: DeviceChoice, listed: Vec<DeviceInfo>) -> Result<Chosen> {
    let describe = |info: &DeviceInfo| format!("{} ({}, {})", info.id, info.name, info.kind);
    let software = listed
        .iter()
        .find(|info| info.kind == DeviceKind::SoftwareGpu)
        .map(describe);
    let names = listed.iter().map(describe).collect::<Vec<_>>().join("; ");
    let mut listed = listed.into_iter();
    let found = match choice {
        DeviceChoice::Cpu => listed.find(|info| info.kind == DeviceKind::Cpu),
        DeviceChoice::Auto => listed.find(|info| info.kind != DeviceKind::SoftwareGpu),
        // Listed best first: a software adapter comes up only where there is no real GPU.
        DeviceChoice::Gpu(None) => listed.find(|info| info.kind != DeviceKind::Cpu),
        DeviceChoice::Gpu(Some(_)) => listed.find(|info| info.id == choice.to_string()),
    };
    let Some(info) = found else {
        return Err(Error::input(
            "--device",
            choice,
            format!("one of: {names}"),
            "`--device cpu` always works",
        ));
    };
    let why = match (choice, info.kind) {
        (DeviceChoice::Auto, DeviceKind::Cpu) => match software {
            Some(software) => {
                format!("no real GPU found, and the CPU is faster than {software}")
            }
            None => "no GPU found".to_owned(),
        },
        (DeviceChoice::Auto, _) => "the best GPU of this machine".to_owned(),
        (_, DeviceKind::SoftwareGpu) => {
            format!("--device {choice}: a software adapter, --device cpu is faster")
        }
        _ => format!("--device {choice}"),
    };
    Ok(Chosen { info, why })
}

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
fn gpus() -> Vec<DeviceInfo> {
    use burn::tensor::DeviceType;

    Device::enumerate(DeviceType::Wgpu)
        .into_vec()
        .into_iter()
        .filter_map(|device| {
            // A driver that lists an adapter and then fails to open it must not end the program.
            let opened =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.identity()));
            let name = opened.ok()??.name;
            let kind = if is_software(&name) {
                DeviceKind::SoftwareGpu
            } else {
                kind_of(&device)
            };
            Some(DeviceInfo {
                id: String::new(),
                name,
                kind,
                device,
            })
        })
        .collect()
}

#[cfg(not(all(feature = "gpu", not(target_arch = "wasm32"))))]
fn gpus() -> Vec<DeviceInfo> {
    Vec::new()
}

/// Burn names a device by its kind and number but does not tell them; equality does.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
fn kind_of(device: &Device) -> DeviceKind {
    use burn::tensor::DeviceKind as Adapter;

    const MOST_ADAPTERS: usize = 32;
    if *device == Device::wgpu(Adapter::Cpu) {
        return DeviceKind::SoftwareGpu;
    }
    for number in 0..MOST_ADAPTERS {
        for (named, kind) in [
            (Adapter::DiscreteGpu(number), DeviceKind::DiscreteGpu),
            (Adapter::IntegratedGpu(number), DeviceKind::IntegratedGpu),
            (Adapter::VirtualGpu(number), DeviceKind::VirtualGpu),
        ] {
            if *device == Device::wgpu(named) {
                return kind;
            }
        }
    }
    DeviceKind::OtherGpu
}

/// A failed device as the library's error.
pub(crate) fn failed(error: impl fmt::Display) -> Error {
    Error::input(
        "the device",
        error,
        "a finished computation",
        "Try a smaller --batch-size or --device cpu",
    )
}

/// Whether a GPU of this name is a rasterizer in software, as some drivers announce one.
pub fn is_software(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "llvmpipe",
        "lavapipe",
        "swiftshader",
        "softpipe",
        "basic render",
    ]
    .iter()
    .any(|software| name.contains(software))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: &str, name: &str, kind: DeviceKind) -> DeviceInfo {
        DeviceInfo {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            device: Device::flex(),
        }
    }

    fn software_machine() -> Vec<DeviceInfo> {
        vec![
            info("gpu:0", "llvmpipe", DeviceKind::SoftwareGpu),
            DeviceInfo::cpu(),
        ]
    }

    fn gaming_machine() -> Vec<DeviceInfo> {
        vec![
            info("gpu:0", "card", DeviceKind::DiscreteGpu),
            info("gpu:1", "llvmpipe", DeviceKind::SoftwareGpu),
            DeviceInfo::cpu(),
        ]
    }

    #[test]
    fn what_people_type_is_understood_and_printed_in_one_form() {
        for (text, shown) in [
            ("auto", "auto"),
            ("", "auto"),
            ("CPU", "cpu"),
            ("gpu", "gpu"),
            ("gpu:1", "gpu:1"),
            ("0", "gpu:0"),
            ("cuda:2", "gpu:2"),
            ("mps", "gpu"),
        ] {
            let choice: DeviceChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), shown);
            assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        }
    }

    #[test]
    fn other_words_are_refused_with_the_next_step() {
        for text in ["0,1", "tpu", "gpu:", "gpu:-1", "cpu:0", "gpu:one"] {
            let message = text.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(
                message.contains("expected auto, cpu, gpu or gpu:N"),
                "{message}"
            );
        }
        let several = "0,1".parse::<DeviceChoice>().unwrap_err().to_string();
        assert!(several.contains("one device"), "{several}");
    }

    #[test]
    fn auto_takes_the_card_and_never_a_software_adapter() {
        let chosen = choose_from(DeviceChoice::Auto, gaming_machine()).unwrap();
        assert_eq!(chosen.info.name, "card");
        let chosen = choose_from(DeviceChoice::Auto, software_machine()).unwrap();
        assert_eq!(chosen.info.kind, DeviceKind::Cpu);
        assert!(chosen.why.contains("llvmpipe"), "{}", chosen.why);
    }

    #[test]
    fn a_software_adapter_is_taken_when_asked_for_and_says_what_it_is() {
        for choice in [DeviceChoice::Gpu(None), DeviceChoice::Gpu(Some(0))] {
            let chosen = choose_from(choice, software_machine()).unwrap();
            assert_eq!(chosen.info.kind, DeviceKind::SoftwareGpu);
            assert!(chosen.why.contains("software adapter"), "{}", chosen.why);
        }
        let chosen = choose_from(DeviceChoice::Gpu(None), gaming_machine()).unwrap();
        assert_eq!(chosen.info.name, "card");
        let chosen = choose_from(DeviceChoice::Gpu(Some(1)), gaming_machine()).unwrap();
        assert!(chosen.why.contains("software adapter"), "{}", chosen.why);
    }

    #[test]
    fn an_adapter_that_is_not_there_is_refused_with_what_there_is() {
        for (choice, listed) in [
            (DeviceChoice::Gpu(None), vec![DeviceInfo::cpu()]),
            (DeviceChoice::Gpu(Some(7)), gaming_machine()),
        ] {
            let message = choose_from(choice, listed).unwrap_err().to_string();
            assert!(
                message.contains("one of:") && message.contains("--device cpu"),
                "{message}"
            );
        }
    }

    #[test]
    fn software_rasterizers_are_known_by_name() {
        assert!(is_software("llvmpipe (LLVM 15.0.6, 256 bits)"));
        assert!(is_software("Microsoft Basic Render Driver"));
        assert!(!is_software("AMD Radeon 8060S Graphics"));
    }
}
