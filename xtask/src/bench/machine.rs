//! What the figures were measured on.

use std::process::Command;

/// Machine, versions, date and command, as a paragraph.
pub fn head(command: &str, torch: Option<&str>) -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut versions = vec![output("rustc", &["--version"])];
    versions.extend(torch.map(|torch| format!("PyTorch {torch}")));
    format!(
        "`{command}`, {}. {}, {threads} threads, {}; {}.",
        output("date", &["-u", "+%Y-%m-%d"]),
        processor(),
        std::env::consts::OS,
        versions.join(", ")
    )
}

/// The processor's own name, where the system tells it.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    told.unwrap_or_else(|| match std::env::consts::OS {
        "macos" => output("sysctl", &["-n", "machdep.cpu.brand_string"]),
        _ => std::env::consts::ARCH.to_owned(),
    })
}

fn output(program: &str, args: &[&str]) -> String {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}
