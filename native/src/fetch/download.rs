//! One file from its address: resumed where it broke off, and known again by its SHA-256.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use frostline::Error;
use frostline::weights::write_atomically;
use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::{beside, file_name};
use crate::progress::{Progress, say};

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between a transfer that broke off and the next.
const PAUSE: Duration = Duration::from_secs(1);
const MEGABYTE: u64 = 1_000_000;

/// A file to fetch.
#[derive(Debug)]
pub struct Download {
    pub address: String,
    /// The most bytes that are fetched.
    pub largest: u64,
    /// Always the same bytes, so that they are compared with those of the first time.
    pub stable: bool,
}

/// What became of one transfer.
enum Transfer {
    Whole,
    /// It broke off: bytes that it brought, and why.
    Broken(u64, String),
    /// What was there is of no use.
    Restart,
}

impl Download {
    /// Fetches into `path` unless the file is there. Beside it stands its SHA-256, written at the first time and compared
    /// ever after. `flag` is what a person may use instead.
    ///
    /// # Errors
    /// The network or the disk fails, or the file is not the one that was fetched before.
    pub fn to(&self, path: &Path, flag: &str) -> Result<()> {
        if path.exists() {
            return self.compare(path, path);
        }
        let folder = path.parent().context("a file in a folder")?;
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let partial = beside(path, ".part");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&partial)
            .map_err(Error::io(&partial))?;
        // Two programs that want the same file take turns; whoever waited finds it there.
        file.lock().map_err(Error::io(&partial))?;
        if path.exists() {
            return self.compare(path, path);
        }
        say(&format!("fetching {}", self.address));
        self.fill(&mut file, &beside(path, ".part.tag"))
            .with_context(|| self.advice(path, flag))?;
        file.sync_all().map_err(Error::io(&partial))?;
        if let Err(error) = self.compare(&partial, path) {
            // The next try is to begin anew.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
        fs::rename(&partial, path).map_err(Error::io(path))?;
        let _ = fs::remove_file(beside(path, ".part.tag"));
        Ok(())
    }

    fn advice(&self, path: &Path, flag: &str) -> String {
        let name = file_name(&self.address);
        format!(
            "{name} could not be fetched from {}. Run the same command again when there is a network: it goes on where it \
             was. Or name a file of your own with {flag}, or put the file at {}",
            self.address,
            path.display()
        )
    }

    /// Transfers until the file is whole, as long as each transfer brings something.
    fn fill(&self, file: &mut File, tag: &Path) -> Result<()> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("frostline/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let progress = Progress::new(file_name(&self.address), 1);
        progress.set_message("MB");
        loop {
            match self.transfer(&agent, file, tag, &progress)? {
                Transfer::Whole => break,
                Transfer::Restart => {
                    file.set_len(0)?;
                    let _ = fs::remove_file(tag);
                }
                Transfer::Broken(0, why) => {
                    progress.clear();
                    bail!("{why}");
                }
                Transfer::Broken(_, why) => {
                    progress.println(format!("the transfer broke off ({why}): going on"));
                    std::thread::sleep(PAUSE);
                }
            }
        }
        progress.finish();
        Ok(())
    }

    fn transfer(
        &self,
        agent: &Agent,
        file: &mut File,
        tag: &Path,
        progress: &Progress,
    ) -> Result<Transfer> {
        let mut start = file.seek(SeekFrom::End(0))?;
        let known = fs::read_to_string(tag).unwrap_or_default();
        // Without the server's tag nobody could tell whether what follows belongs to what is there.
        if start > 0 && known.is_empty() {
            file.set_len(0)?;
            start = file.seek(SeekFrom::Start(0))?;
        }
        let mut request = agent
            .get(&self.address)
            .header("Accept-Encoding", "identity");
        if start > 0 {
            request = request
                .header("Range", format!("bytes={start}-"))
                .header("If-Range", &known);
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Transfer::Broken(0, reason(&error))),
        };
        match response.status() {
            StatusCode::OK => {
                file.set_len(0)?;
                start = file.seek(SeekFrom::Start(0))?;
                fs::write(tag, header(&response, "etag").unwrap_or_default())?;
            }
            StatusCode::PARTIAL_CONTENT if begins_at(&response, start) => {
                progress.println(format!(
                    "going on at {:.1} MB",
                    start as f64 / MEGABYTE as f64
                ));
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                return Ok(Transfer::Restart);
            }
            status => return Ok(Transfer::Broken(0, format!("the server says {status}"))),
        }
        let length = header(&response, "content-length").and_then(|text| text.parse::<u64>().ok());
        let total = length.map(|length| start.saturating_add(length));
        self.receive(response, file, start, total, progress)
    }

    fn receive(
        &self,
        response: Response<Body>,
        file: &mut File,
        start: u64,
        total: Option<u64>,
        progress: &Progress,
    ) -> Result<Transfer> {
        let mut done = start;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            if done.max(total.unwrap_or(0)) > self.largest {
                bail!(
                    "the file has more than {} MB, which it never had",
                    self.largest / MEGABYTE
                );
            }
            let megabytes = |bytes: u64| bytes.div_ceil(MEGABYTE) as usize;
            progress.set_range(megabytes(done), megabytes(total.unwrap_or(done)));
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Ok(Transfer::Broken(done - start, error.to_string())),
            };
            file.write_all(&buffer[..count])?;
            done += count as u64;
        }
        Ok(match total {
            Some(total) if done != total => {
                Transfer::Broken(done - start, format!("{done} of {total} bytes came"))
            }
            _ => Transfer::Whole,
        })
    }

    /// Compares `file` with what was recorded for `path`, or records it.
    fn compare(&self, file: &Path, path: &Path) -> Result<()> {
        if !self.stable {
            return Ok(());
        }
        let record = beside(path, ".sha256");
        let found = sha256(file)?;
        let Ok(text) = fs::read_to_string(&record) else {
            let line = format!("{found}  {}\n", file_name(&self.address));
            return Ok(write_atomically(&record, line.as_bytes())?);
        };
        let wanted = text.split_whitespace().next().unwrap_or_default();
        if wanted == found {
            return Ok(());
        }
        Err(Error::input(
            path.display(),
            format!("SHA-256 {found}"),
            format!("{wanted}, as {} says", record.display()),
            "Remove both files if what is published has changed; do not use a file that you do not trust",
        )
        .into())
    }
}

/// What a person can do something about.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => {
            "the server's name is not known: is there a network?".to_owned()
        }
        ureq::Error::ConnectionFailed => "no connection: is there a network?".to_owned(),
        ureq::Error::Io(error) => format!("no connection ({error}): is there a network?"),
        error => error.to_string(),
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// `bytes 100-199/200` begins at 100.
fn begins_at(response: &Response<Body>, start: u64) -> bool {
    header(response, "content-range").and_then(|range| {
        range
            .strip_prefix("bytes ")?
            .split('-')
            .next()?
            .parse()
            .ok()
    }) == Some(start)
}

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(Error::io(path))?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
