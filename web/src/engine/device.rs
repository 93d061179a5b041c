//! Which device the engine computes on, and what happens when it goes away.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use burn::tensor::Device;
use frostline::device::is_software;
use frostline::{Error, Result};
use wasm_bindgen::JsValue;

use super::browser::{self, field, wait};
use crate::messages::{DeviceSaid, Wish};

/// A device and what is said of it.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The plain device, without autodiff.
    pub device: Device,
    /// For the page.
    pub said: DeviceSaid,
}

impl Chosen {
    /// The CPU.
    pub fn cpu(why: impl Into<String>) -> Self {
        Self {
            device: Device::flex(),
            said: DeviceSaid {
                gpu: false,
                name: "WebAssembly with SIMD, one thread".to_owned(),
                why: why.into(),
            },
        }
    }
}

/// The browser's GPU, once it has been opened.
#[derive(Debug, Clone)]
pub struct Gpu {
    device: Device,
    name: String,
    /// What Burn computes on.
    pub handles: (wgpu::Device, wgpu::Queue),
    /// Whether it is gone.
    pub loss: Loss,
}

/// Finds the device for a wish. A GPU that was `opened` is taken again, as long as it is there.
///
/// # Errors
/// A GPU was asked for and there is none.
pub async fn choose(wish: Wish, opened: &mut Option<Gpu>) -> Result<Chosen> {
    if wish == Wish::Cpu {
        return Ok(Chosen::cpu("the CPU was asked for"));
    }
    let adapter = adapter().await;
    let name = match (&adapter, wish) {
        (Some(adapter), Wish::Auto) if adapter.software => {
            return Ok(Chosen::cpu(format!(
                "no real GPU found, and the CPU is faster than {}",
                adapter.name
            )));
        }
        (None, Wish::Auto) => return Ok(Chosen::cpu("this browser offers no GPU")),
        (None, _) => {
            return Err(Error::input(
                "the device",
                "a browser without a GPU adapter",
                "WebGPU",
                "Choose the CPU, which always works, or another browser",
            ));
        }
        (Some(adapter), _) => adapter.name.clone(),
    };
    if let Some(why) = opened.as_ref().and_then(|gpu| gpu.loss.why()) {
        // Burn opens a browser's GPU once in the life of a worker.
        return match wish {
            Wish::Auto => Ok(Chosen::cpu(format!("the GPU was lost: {why}"))),
            _ => Err(Error::input(
                "the device",
                format!("a GPU that was lost ({why})"),
                "one that is there",
                "Load the page again, or choose the CPU",
            )),
        };
    }
    if opened.is_none() {
        match open(name).await {
            Ok(gpu) => *opened = Some(gpu),
            Err(error) if wish == Wish::Auto => {
                return Ok(Chosen::cpu(format!("the GPU did not open: {error}")));
            }
            Err(error) => return Err(error),
        }
    }
    let Some(gpu) = opened else {
        return Ok(Chosen::cpu("this browser offers no GPU"));
    };
    Ok(Chosen {
        device: gpu.device.clone(),
        said: DeviceSaid {
            gpu: true,
            name: gpu.name.clone(),
            why: match wish {
                Wish::Auto => "the browser's GPU".to_owned(),
                _ => "the GPU was asked for".to_owned(),
            },
        },
    })
}

async fn open(name: String) -> Result<Gpu> {
    let opened = Device::wgpu_options().init_with_setup_async().await;
    let (device, setup) = opened.map_err(|error| {
        Error::input(
            "the GPU",
            error,
            "a device to compute on",
            "Choose the CPU, which always works",
        )
    })?;
    let loss = Loss::default();
    let lost = loss.clone();
    setup
        .device
        .set_device_lost_callback(move |reason, message| {
            lost.happened(format!("{reason:?} {message}").trim().to_owned());
        });
    Ok(Gpu {
        device,
        name,
        handles: (setup.device, setup.queue),
        loss,
    })
}

struct Adapter {
    name: String,
    software: bool,
}

/// The browser's best adapter, without opening it.
async fn adapter() -> Option<Adapter> {
    let gpu = browser::navigator("gpu")?;
    let adapter = wait(&gpu, "requestAdapter", &[]).await.ok()?;
    if adapter.is_null() || adapter.is_undefined() {
        return None;
    }
    let info = field(&adapter, "info");
    let text = |name: &str| field(&info, name).as_string().unwrap_or_default();
    let parts = ["vendor", "architecture", "device", "description"].map(text);
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let name = match parts.join(" ") {
        name if name.is_empty() => "a GPU that does not say its name".to_owned(),
        name => name,
    };
    let fallback = |object: &JsValue| field(object, "isFallbackAdapter").is_truthy();
    let software = fallback(&adapter) || fallback(&info) || is_software(&name);
    Some(Adapter { name, software })
}

/// Whether a device is gone. The browser tells it once; whoever waits is woken.
#[derive(Debug, Clone, Default)]
pub struct Loss(Arc<Mutex<Lost>>);

#[derive(Debug, Default)]
struct Lost {
    why: Option<String>,
    waker: Option<Waker>,
}

impl Loss {
    fn happened(&self, why: String) {
        let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.why = Some(why);
        if let Some(waker) = lost.waker.take() {
            waker.wake();
        }
    }

    /// What the browser says of it; none while the device is there.
    pub fn why(&self) -> Option<String> {
        let lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.why.clone()
    }

    /// What `work` comes to, unless the device goes away first: what waits for a lost device may wait for ever.
    ///
    /// # Errors
    /// What the browser says of the loss.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, String> {
        let mut work = pin!(work);
        poll_fn(|context| {
            {
                let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(why) = &lost.why {
                    return Poll::Ready(Err(why.clone()));
                }
                lost.waker = Some(context.waker().clone());
            }
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }
}
