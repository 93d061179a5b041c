//! `inspect`: the architecture as a table, its named parameters, and what a freeze would do.

mod report;
mod table;

use std::io::Write;

use anyhow::Result;
use frostline::Error;
use frostline::device::DeviceChoice;
use frostline::freeze::FreezePlan;
use frostline::model::Architecture;
use frostline::train::{FreezeNorms, OptimizerKind};
use frostline::weights::Checkpoint;

use self::report::Report;
use crate::args::{ArchitectureSource, InspectSettings, Subject};
use crate::forecast::{self, Forecast};
use crate::interrupt;

/// Classes of a built-in architecture unless told otherwise: those of COCO, as in the reference.
const COCO_CLASSES: usize = 80;

/// Prints what the settings ask for. No tensor is allocated but those of a file that is read, and those of a forecast.
///
/// # Errors
/// A file that cannot be read, a freeze that does not fit the architecture, or an output that
/// cannot be written.
pub fn run(settings: &InspectSettings, out: &mut impl Write) -> Result<()> {
    let (name, architecture) = subject(settings)?;
    let mut report = Report::new(name, &architecture, settings)?;
    if let Some(device) = settings.forecast {
        report.forecast = Some(foretell(settings, &architecture, device)?);
    }
    if settings.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        table::print(&report, settings.parameters.is_some(), out)?;
    }
    Ok(())
}

/// What a training step will take here, with nothing frozen unless a freeze is asked for.
fn foretell(
    settings: &InspectSettings,
    architecture: &Architecture,
    device: DeviceChoice,
) -> Result<Forecast> {
    interrupt::install()?;
    let chosen = frostline::device::choose(device)?;
    let plan = match &settings.freeze {
        Some(spec) => FreezePlan::resolve(spec, architecture)?,
        None => FreezePlan::none(architecture),
    };
    forecast::foretell(&forecast::Subject {
        architecture,
        plan: &plan,
        freeze_norms: FreezeNorms::default(),
        optimizer: OptimizerKind::default(),
        imgsz: settings.imgsz,
        batch_size: settings.batch_size,
        device: &chosen.info.id.to_string(),
        kept: plan.stages[0].cut.prefix > 0,
    })
}

fn subject(settings: &InspectSettings) -> Result<(String, Architecture)> {
    match &settings.subject {
        Subject::Cfg(ArchitectureSource::Builtin(size)) => {
            let nc = settings.nc.unwrap_or(COCO_CLASSES);
            Ok((format!("yolov5{size}"), Architecture::yolov5(*size, nc)))
        }
        Subject::Cfg(ArchitectureSource::File(path)) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
            let architecture = Architecture::from_yaml(&text, &name, settings.nc)?;
            Ok((name, architecture))
        }
        Subject::Weights(path) => {
            let name = path.display().to_string();
            let checkpoint = Checkpoint::read(path)?;
            let problem = checkpoint.metadata.get("architecture_problem");
            let architecture = checkpoint.architecture.ok_or_else(|| {
                Error::input(
                    &name,
                    problem.map_or("tensors without an architecture", String::as_str),
                    "weights that describe their network",
                    "Name the architecture with --cfg instead",
                )
            })?;
            Ok((name, architecture))
        }
    }
}

#[cfg(test)]
mod tests;
