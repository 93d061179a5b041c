//! The report as text.

use std::io::{Result, Write};

use frostline::freeze::ModuleState;

use super::report::{FreezeReport, FrozenModule, ModuleRow, NamedParameter, Report, StageReport};

const FROZEN: &str = "❄";
const TRAINS: &str = "✦";
const PARTLY: &str = "◐";

/// Prints the table, the totals, what the freeze does and, when asked for, the parameters.
///
/// # Errors
/// The output cannot be written.
pub fn print(report: &Report, parameters: bool, out: &mut impl Write) -> Result<()> {
    let Report {
        name, nc, imgsz, ..
    } = report;
    writeln!(out, "{name}, {nc} classes, {imgsz}×{imgsz} px\n")?;
    let first = report
        .freeze
        .as_ref()
        .and_then(|freeze| freeze.stages.first());
    modules(&report.modules, first, out)?;
    writeln!(
        out,
        "\n{} parameters in {} tensors ({} state items), {} layers, {:.3} GFLOPs",
        grouped(report.parameters),
        report.tensors,
        report.state_items,
        report.layers,
        report.gflops,
    )?;
    if let Some(freeze) = &report.freeze {
        for stage in &freeze.stages {
            writeln!(out)?;
            print_stage(freeze, stage, report, out)?;
        }
    }
    if let Some(forecast) = &report.forecast {
        writeln!(
            out,
            "
a training step of {} pictures on this machine: {forecast} (foretold from probes of {:.1} s)",
            report.batch_size, forecast.probes_s
        )?;
    }
    if parameters {
        writeln!(out)?;
        named(&report.named_parameters, out)?;
    }
    Ok(())
}

fn modules(rows: &[ModuleRow], stage: Option<&StageReport>, out: &mut impl Write) -> Result<()> {
    let mut table = vec![
        ["#", "from", "n", "params", "kind", "arguments", "output"]
            .map(str::to_owned)
            .to_vec(),
    ];
    if stage.is_some() {
        table[0].push(String::new());
    }
    for row in rows {
        let mut cells = vec![
            row.index.to_string(),
            from(row),
            row.n.to_string(),
            grouped(row.parameters),
            row.kind.to_owned(),
            row.arguments.clone(),
            row.outputs
                .iter()
                .map(|shape| shape_text(shape))
                .collect::<Vec<_>>()
                .join(" "),
        ];
        if let Some(stage) = stage {
            cells.push(state(&stage.modules[row.index]));
        }
        table.push(cells);
    }
    // Numbers end under each other, words begin under each other.
    const RIGHT: [usize; 3] = [0, 2, 3];
    let widths: Vec<usize> = (0..table[0].len())
        .map(|column| {
            table
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in table {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match RIGHT.contains(&column) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            })
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn from(row: &ModuleRow) -> String {
    if row.from.is_empty() {
        return "image".to_owned();
    }
    let from: Vec<String> = row.from.iter().map(usize::to_string).collect();
    from.join(",")
}

fn state(module: &FrozenModule) -> String {
    match module.state {
        ModuleState::Frozen => format!("{FROZEN} frozen"),
        ModuleState::Trains => format!("{TRAINS} trains"),
        ModuleState::Partly => format!(
            "{PARTLY} {} of {} tensors frozen",
            module.frozen_tensors, module.tensors
        ),
    }
}

fn print_stage(
    freeze: &FreezeReport,
    stage: &StageReport,
    report: &Report,
    out: &mut impl Write,
) -> Result<()> {
    let when = match (freeze.stages.len(), stage.until_epoch) {
        (1, _) => String::new(),
        (_, Some(until)) => format!(", epochs {}–{}", stage.from_epoch, until - 1),
        (_, None) => format!(", from epoch {}", stage.from_epoch),
    };
    writeln!(out, "freeze {}{when}: {}", freeze.spec, stage.summary)?;
    let (costs, unfrozen) = (&stage.costs, &freeze.unfrozen_costs);
    if stage.counts.frozen_tensors == 0 {
        return writeln!(
            out,
            "  a step on {} pictures: {:.1} GFLOPs, {} kept for the backward pass",
            costs.batch,
            costs.step() as f64 / 1e9,
            mebibytes(costs.activation_bytes),
        );
    }
    writeln!(
        out,
        "  {} of {} tensors and {} of {} parameters frozen, {} BatchNorms fixed",
        stage.counts.frozen_tensors,
        report.tensors,
        grouped(stage.counts.frozen_parameters),
        grouped(report.parameters),
        stage.fixed_norms,
    )?;
    match stage.cut.prefix {
        0 => writeln!(out, "  no cut: module 0 trains")?,
        prefix => {
            let crossing = stage.cut.crossing.iter().map(|index| {
                let outputs = &report.modules[*index].outputs;
                let shapes: Vec<String> = outputs.iter().map(|shape| shape_text(shape)).collect();
                format!("{index} ({})", shapes.join(" "))
            });
            writeln!(
                out,
                "  cut after module {}; crossing it: outputs {}, {} per picture",
                prefix - 1,
                crossing.collect::<Vec<_>>().join(", "),
                mebibytes(costs.cut_bytes / costs.batch.max(1) as u64),
            )?;
        }
    }
    writeln!(
        out,
        "  a step on {} pictures: {:.1} GFLOPs instead of {:.1} ({:.2}× less), {} kept for the \
         backward pass instead of {}",
        costs.batch,
        costs.step() as f64 / 1e9,
        unfrozen.step() as f64 / 1e9,
        unfrozen.step() as f64 / costs.step().max(1) as f64,
        mebibytes(costs.activation_bytes),
        mebibytes(unfrozen.activation_bytes),
    )
}

fn named(parameters: &[NamedParameter], out: &mut impl Write) -> Result<()> {
    let width = parameters.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for parameter in parameters {
        let states: Vec<&str> = parameter
            .frozen
            .iter()
            .map(|frozen| if *frozen { FROZEN } else { TRAINS })
            .collect();
        let words = match (
            parameter.frozen.iter().any(|f| *f),
            parameter.frozen.iter().all(|f| *f),
        ) {
            _ if states.is_empty() => "",
            (_, true) => " frozen",
            (false, _) => " trains",
            (true, false) => " by stage",
        };
        let rate = match parameter.rate_factor {
            Some(factor) => format!("  rate ×{factor}"),
            None => String::new(),
        };
        let line = format!(
            "{:width$}  {:>18}  {:>9}  {}{words}{rate}",
            parameter.name,
            shape_text(&parameter.shape),
            grouped(parameter.elements),
            states.join(""),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    let elements = parameters.iter().map(|p| p.elements).sum();
    writeln!(
        out,
        "{} tensors, {} parameters",
        parameters.len(),
        grouped(elements)
    )
}

fn shape_text(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    sides.join("×")
}

/// `1,872,157`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn mebibytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 10.0 {
        format!("{mib:.2} MiB")
    } else {
        format!("{mib:.0} MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_872_157, "1,872,157"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
