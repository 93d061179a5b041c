//! `devices`: what `--device` can name on this machine, and what `auto` takes.

use std::io::Write;

use anyhow::Result;
use frostline::device::{self, Chosen, DeviceChoice, DeviceInfo};

/// Prints the list.
///
/// # Errors
/// The output cannot be written.
pub fn run(json: bool, out: &mut impl Write) -> Result<()> {
    let devices = device::list();
    let auto = device::choose_from(DeviceChoice::Auto, devices.clone())?;
    if json {
        return print_json(&devices, &auto, out);
    }
    let widest = |text: fn(&DeviceInfo) -> &str| {
        devices
            .iter()
            .map(|info| text(info).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (id_width, name_width) = (widest(|info| &info.id), widest(|info| &info.name));
    for info in &devices {
        writeln!(
            out,
            "{:id_width$}  {:name_width$}  {}",
            info.id, info.name, info.kind
        )?;
    }
    writeln!(
        out,
        "\n--device auto takes {} ({}): {}",
        auto.info.id, auto.info.name, auto.why
    )?;
    Ok(())
}

fn print_json(devices: &[DeviceInfo], auto: &Chosen, out: &mut impl Write) -> Result<()> {
    let devices: Vec<_> = devices
        .iter()
        .map(|info| serde_json::json!({"id": info.id, "name": info.name, "kind": info.kind}))
        .collect();
    let value = serde_json::json!({
        "devices": devices,
        "auto": {"id": auto.info.id, "why": auto.why},
    });
    writeln!(out, "{value:#}")?;
    Ok(())
}
