//! The lab: built without Trunk, from the same files and to the same folder, and served.
//!
//! Trunk would take minutes to compile and do four things here: cargo, wasm-bindgen, wasm-opt, copy. These are those four.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::shipped;
use crate::{WASM, cargo, is_root, root, step, target};

/// Where the lab is served unless another port is named.
const PORT: u16 = 8080;
/// What rustc uses of WebAssembly without being asked, and every browser of these years knows.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];
/// Debian's browser, and a font with Korean letters to look at.
const BROWSER_PACKAGES: [&str; 2] = ["chromium", "fonts-nanum"];
const BROWSERS: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// Builds the lab and serves it on this machine until it is stopped.
pub fn serve(port: Option<String>) -> anyhow::Result<()> {
    let port = port.map_or(Ok(PORT), |port| port.parse().context("the port"))?;
    let folder = build()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| {
        format!(
            "port {port} is taken; name another: cargo xtask serve {}",
            port.wrapping_add(1)
        )
    })?;
    println!("xtask: the lab is at http://127.0.0.1:{port}/ (Ctrl-C ends it)");
    for stream in listener.incoming().flatten() {
        let folder = folder.clone();
        // A browser that goes away in the middle is no reason to stop.
        std::thread::spawn(move || _ = answer(stream, &folder));
    }
    Ok(())
}

/// A program of the lab.
struct Program {
    /// The binary, and what its files are called.
    name: &'static str,
    what: &'static str,
    /// Cargo's profile and features for it.
    flags: &'static [&'static str],
    /// How wasm-opt makes it smaller, if at all.
    optimise: Option<&'static str>,
}

/// The page with the view that is shown first, the page with all views, and the engine in its worker. A call of cargo for each: one
/// would build them all with all features.
const PROGRAMS: [Program; 3] = [
    Program {
        name: "app",
        what: "the page's program",
        flags: &["--profile", "page"],
        optimise: Some("-Oz"),
    },
    Program {
        name: "studio",
        what: "the program of all views",
        flags: &["--profile", "page", "--features", "studio"],
        optimise: Some("-Oz"),
    },
    Program {
        name: "engine",
        what: "the engine's program",
        flags: &["--profile", "engine", "--features", "engine"],
        optimise: Some("-O1"),
    },
];

/// Builds the lab into `web/dist` and says where that is.
pub fn build() -> anyhow::Result<PathBuf> {
    let bindgen = wasm_bindgen()?;
    for program in &PROGRAMS {
        program.compile()?;
    }
    let web = root().join("web");
    let dist = web.join("dist");
    if dist.exists() {
        std::fs::remove_dir_all(&dist).context("the earlier web/dist")?;
    }
    copy_folder(&web.join("public"), &dist)?;
    copy_index(&dist)?;
    if has_node() {
        node_modules()?;
    } else {
        println!("xtask: node is not installed: the programs are not made smaller by wasm-opt");
    }
    for program in &PROGRAMS {
        program.finish(&bindgen, &dist)?;
    }
    shipped::finish(&dist)?;
    Ok(dist)
}

/// The page alone, quickly and large, into the lab that stands in `web/dist`: for trying a change.
pub fn quick() -> anyhow::Result<()> {
    let bindgen = wasm_bindgen()?;
    let dist = root().join("web/dist");
    let page = [
        Program {
            flags: &["--profile", "release"],
            optimise: None,
            ..PROGRAMS[0]
        },
        Program {
            flags: &["--profile", "release", "--features", "studio"],
            optimise: None,
            ..PROGRAMS[1]
        },
    ];
    for program in &page {
        program.compile()?;
    }
    copy_folder(&root().join("web/public"), &dist)?;
    copy_index(&dist)?;
    for program in &page {
        program.finish(&bindgen, &dist)?;
    }
    shipped::finish(&dist)
}

/// What Trunk does not do, after it has built the lab.
pub fn finish_trunk() -> anyhow::Result<()> {
    let dist = std::env::var_os("TRUNK_STAGING_DIR")
        .context("TRUNK_STAGING_DIR is not set: Trunk calls this")?;
    shipped::finish(Path::new(&dist))
}

/// The page's document without what only Trunk reads.
fn copy_index(dist: &Path) -> anyhow::Result<()> {
    let index = std::fs::read_to_string(root().join("web/index.html")).context("web/index.html")?;
    let index: Vec<&str> = index
        .lines()
        .filter(|line| !line.contains("data-trunk"))
        .collect();
    std::fs::write(dist.join("index.html"), index.join("\n") + "\n").context("web/dist")
}

impl Program {
    fn compile(&self) -> anyhow::Result<()> {
        step(
            self.what,
            cargo()
                .args(["build", "--locked", "--package", "frostline-web"])
                .args(["--bin", self.name, "--target", WASM])
                .args(self.flags),
        )
    }

    /// Its bindings, and wasm-opt's pass over it.
    fn finish(&self, bindgen: &Path, dist: &Path) -> anyhow::Result<()> {
        let folder = self.flags[1];
        step(
            "its bindings",
            Command::new(bindgen)
                .args(["--target", "web", "--no-typescript"])
                .args(["--remove-name-section", "--remove-producers-section"])
                .args(["--out-name", self.name, "--out-dir"])
                .arg(dist)
                .arg(
                    target()
                        .join(WASM)
                        .join(folder)
                        .join(self.name)
                        .with_extension("wasm"),
                ),
        )?;
        let Some(optimise) = self.optimise.filter(|_| has_node()) else {
            return Ok(());
        };
        let program = dist.join(format!("{}_bg.wasm", self.name));
        step(
            "a smaller program",
            Command::new("node")
                .arg(e2e().join("node_modules/binaryen/bin/wasm-opt"))
                .arg(optimise)
                .args(WASM_FEATURES)
                .arg("--output")
                .args([&program, &program]),
        )
    }
}

/// Builds the lab and uses it as a person does, in a headless browser.
pub fn test() -> anyhow::Result<()> {
    if !has_node() {
        println!("xtask: node is not installed: the tests in a browser are SKIPPED");
        return Ok(());
    }
    if !has_browser() {
        println!(
            "xtask: no Chromium found (FROSTLINE_CHROMIUM names one): the tests in a browser are SKIPPED"
        );
        return Ok(());
    }
    let dist = build()?;
    step(
        "the page in a browser",
        Command::new("node")
            .arg("--test")
            .current_dir(e2e())
            .env("FROSTLINE_DIST", dist),
    )
}

/// Brings a browser, when it is missing and can be had.
pub fn setup() -> anyhow::Result<()> {
    if has_browser() || !cfg!(target_os = "linux") {
        return Ok(());
    }
    let install = format!(
        "apt-get update -qq && apt-get install -y -qq {}",
        BROWSER_PACKAGES.join(" ")
    );
    if is_root() && Path::new("/usr/bin/apt-get").exists() {
        return step("a browser", Command::new("sh").args(["-c", &install]));
    }
    println!(
        "xtask: no Chromium found, the tests in a browser will say that they are skipped. On Debian or Ubuntu: sudo sh -c '{install}'"
    );
    Ok(())
}

/// The program `wasm-bindgen` of exactly the version that the page is linked with, built where it
/// is missing.
fn wasm_bindgen() -> anyhow::Result<PathBuf> {
    let version = locked_version("wasm-bindgen")?;
    let tools = target().join("tools");
    let program = tools.join("bin").join(if cfg!(windows) {
        "wasm-bindgen.exe"
    } else {
        "wasm-bindgen"
    });
    let is_it = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout)
                .split_whitespace()
                .nth(1)
                == Some(&version)
        })
    };
    if is_it(&program) {
        return Ok(program);
    }
    if is_it(Path::new("wasm-bindgen")) {
        return Ok("wasm-bindgen".into());
    }
    let build = tools.join("build");
    step(
        "wasm-bindgen, once",
        cargo()
            .args(["install", "wasm-bindgen-cli", "--version"])
            .arg(format!("={version}"))
            .arg("--root")
            .arg(&tools)
            .arg("--target-dir")
            .arg(&build),
    )?;
    std::fs::remove_dir_all(&build).context("what building wasm-bindgen left")?;
    Ok(program)
}

/// The version of a package in `Cargo.lock`.
fn locked_version(package: &str) -> anyhow::Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .with_context(|| format!("{package} is not in Cargo.lock"))
}

fn e2e() -> PathBuf {
    root().join("web/e2e")
}

fn has_node() -> bool {
    let output = Command::new("node").arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

fn has_browser() -> bool {
    std::env::var_os("FROSTLINE_CHROMIUM").is_some()
        || BROWSERS.iter().any(|browser| Path::new(browser).exists())
}

/// What the tests and wasm-opt need, when it is not there or older than its list.
fn node_modules() -> anyhow::Result<()> {
    let changed = |path: PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    let installed = changed(e2e().join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= changed(e2e().join("package-lock.json")) {
        return Ok(());
    }
    step(
        "node packages",
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(e2e()),
    )
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &copy)?;
        } else {
            std::fs::copy(&path, &copy).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Answers one request with a file of the folder.
fn answer(mut stream: TcpStream, folder: &Path) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().context("no request")??;
    // The rest of the head says nothing that is needed, but must be taken off the line.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let found = file_of(&request).and_then(|file| {
        let body = std::fs::read(folder.join(file)).ok()?;
        Some(("200 OK", content_type(file), body))
    });
    let (status, kind, body) =
        found.unwrap_or_else(|| ("404 Not Found", "text/plain", b"not found".to_vec()));
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    Ok(())
}

/// The file that a request's first line names; `None` when it is none of the folder.
fn file_of(request: &str) -> Option<&Path> {
    let path = request.strip_prefix("GET /")?.split([' ', '?']).next()?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let downwards = |part| matches!(part, Component::Normal(_));
    path.components().all(downwards).then_some(path)
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("svg") => "image/svg+xml",
        Some("zip") => "application/zip",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trunk_takes_the_wasm_bindgen_of_the_lock_file() {
        let trunk = std::fs::read_to_string(root().join("web/Trunk.toml")).unwrap();
        let version = locked_version("wasm-bindgen").unwrap();
        assert!(trunk.contains(&format!("wasm_bindgen = \"{version}\"")));
    }

    #[test]
    fn only_files_of_the_folder_are_served() {
        let file = |path: &str| file_of(path).map(|file| file.display().to_string());
        assert_eq!(file("GET / HTTP/1.1").as_deref(), Some("index.html"));
        assert_eq!(
            file("GET /?freeze=10 HTTP/1.1").as_deref(),
            Some("index.html")
        );
        assert_eq!(file("GET /a/b.js?c HTTP/1.1").as_deref(), Some("a/b.js"));
        for request in [
            "GET /../Cargo.toml ",
            "GET /a/../../b ",
            "GET //etc/passwd ",
            "POST / ",
            "",
        ] {
            assert_eq!(file(request), None, "{request}");
        }
    }
}
