//! Published weights and data by name, from a server on this machine that breaks off, lies or is not there.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use frostline_tests::golden;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::program::{Outcome, command};

const RELEASE: &str = "/github.com/ultralytics/yolov5/releases/download";

/// A server of one file that keeps what it was asked for.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What it does.
#[derive(Clone)]
struct Manner {
    path: String,
    bytes: Vec<u8>,
    /// Breaks off after so many bytes of each answer.
    breaks_after: usize,
    tag: String,
}

impl Manner {
    fn of(path: &str, bytes: Vec<u8>) -> Self {
        Self {
            path: format!("{RELEASE}/{path}"),
            breaks_after: bytes.len(),
            bytes,
            tag: "\"one\"".to_owned(),
        }
    }
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = answer(stream, &manner, &log);
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Notes `PATH RANGE` and answers.
fn answer(mut stream: TcpStream, manner: &Manner, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut range, mut tag) = (None, String::new());
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                range = value
                    .strip_prefix("bytes=")
                    .and_then(|r| r.strip_suffix('-')?.parse().ok())
            }
            "if-range" => tag = value.to_owned(),
            _ => {}
        }
    }
    log.lock()
        .unwrap()
        .push(format!("{path} {}", range.unwrap_or(0)));
    if path != manner.path {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let total = manner.bytes.len();
    let start: usize = range.filter(|_| tag == manner.tag).unwrap_or(0);
    let head = match start {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}\r\n",
            total - 1
        ),
    };
    let rest = &manner.bytes[start..];
    write!(
        stream,
        "{head}Content-Length: {}\r\nETag: {}\r\nConnection: close\r\n\r\n",
        rest.len(),
        manner.tag
    )?;
    stream.write_all(&rest[..rest.len().min(manner.breaks_after)])
}

/// The program with an own cache, and the server in place of everything public.
fn fetching(folder: &Path, server: &str, args: &[&str]) -> Command {
    let mut command = command(folder, args);
    command
        .env("FROSTLINE_CACHE", folder.join("cache"))
        .env("FROSTLINE_MIRROR", server);
    for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    command
}

fn fetch(folder: &Path, server: &str, args: &[&str]) -> Outcome {
    fetching(folder, server, args)
        .output()
        .expect("the program starts")
        .into()
}

fn golden_weights() -> Vec<u8> {
    fs::read(golden("model/yolov5n_nc3_pickled_half.pt")).unwrap()
}

const INSPECT: [&str; 3] = ["inspect", "--weights", "yolov5n.pt"];

#[test]
fn weights_are_fetched_once_and_go_on_where_the_transfer_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let whole = golden_weights();
    let part = whole.len() / 3 + 1;
    let server = Server::start(Manner {
        breaks_after: part,
        ..Manner::of("v6.0/yolov5n.pt", whole.clone())
    });
    fetch(folder.path(), &server.address, &INSPECT)
        .expect_code(0)
        .expect_words(&["fetching http://", "broke off", "going on at", "MB"]);
    let starts: Vec<String> = server
        .asked()
        .iter()
        .map(|line| line.replace(&format!("{RELEASE}/v6.0/"), ""))
        .collect();
    let wanted = [0, part, 2 * part].map(|start| format!("yolov5n.pt {start}"));
    assert_eq!(starts, wanted);
    let kept = folder.path().join("cache/weights/yolov5n.pt");
    assert!(fs::read(&kept).unwrap() == whole);
    assert_eq!(
        fs::read_dir(kept.parent().unwrap()).unwrap().count(),
        2,
        "the file and its SHA-256"
    );

    fetch(folder.path(), "http://127.0.0.1:9", &INSPECT).expect_code(0);
    assert_eq!(server.asked().len(), 3, "nobody asks for what is there");
}

#[test]
fn a_part_of_another_file_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::of("v6.0/yolov5n.pt", golden_weights()));
    let weights = folder.path().join("cache/weights");
    fs::create_dir_all(&weights).unwrap();
    fs::write(
        weights.join("yolov5n.pt.part"),
        "a part of what was published before",
    )
    .unwrap();
    fs::write(weights.join("yolov5n.pt.part.tag"), "\"old\"").unwrap();
    fetch(folder.path(), &server.address, &INSPECT).expect_code(0);
    assert!(fs::read(weights.join("yolov5n.pt")).unwrap() == golden_weights());
}

#[test]
fn a_file_that_is_not_the_one_of_before_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::of("v6.0/yolov5n.pt", golden_weights()));
    fetch(folder.path(), &server.address, &INSPECT).expect_code(0);
    let kept = folder.path().join("cache/weights/yolov5n.pt");
    let mut changed = golden_weights();
    changed[5000] ^= 1;
    fs::write(&kept, &changed).unwrap();
    let words = ["yolov5n.pt: found SHA-256", "expected", "yolov5n.pt.sha256"];
    fetch(folder.path(), &server.address, &INSPECT)
        .expect_code(2)
        .expect_words(&words);
    // Fetched anew it is compared with the first time as well, and not kept.
    fs::remove_file(&kept).unwrap();
    let liar = Server::start(Manner::of("v6.0/yolov5n.pt", changed));
    fetch(folder.path(), &liar.address, &INSPECT)
        .expect_code(2)
        .expect_words(&words);
    assert!(!kept.exists());
}

#[test]
fn without_a_network_the_message_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    fetch(folder.path(), &format!("http://{nobody}"), &INSPECT)
        .expect_code(1)
        .expect_words(&[
            "yolov5n.pt could not be fetched",
            "when there is a network",
            "name a file of your own with --weights",
            "cache/weights/yolov5n.pt",
            "no connection",
        ]);
    let server = Server::start(Manner::of("v6.0/other.pt", vec![]));
    fetch(folder.path(), &server.address, &INSPECT)
        .expect_code(1)
        .expect_words(&["404"]);
}

#[test]
fn only_published_names_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::of("v6.0/yolov5n.pt", golden_weights()));
    for (weights, words) in [
        ("yolov5n6.pt", "four scales"),
        ("mine.pt", "no such file"),
        ("somewhere/yolov5n.pt", "no such file"),
    ] {
        let args = ["inspect", "--weights", weights];
        fetch(folder.path(), &server.address, &args)
            .expect_code(2)
            .expect_words(&[words]);
    }
    fs::copy(
        golden("model/yolov5n_nc3_pickled_half.pt"),
        folder.path().join("yolov5n.pt"),
    )
    .unwrap();
    fetch(folder.path(), &server.address, &INSPECT).expect_code(0);
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

fn jpeg(width: u32, height: u32, value: u8) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(width, height, image::Rgb([value, 80, 160]));
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn annotation(class: &str) -> Vec<u8> {
    format!(
        "<annotation><object><name>{class}</name><bndbox><xmin>1</xmin><ymin>11</ymin><xmax>32</xmax><ymax>30</ymax>\
         </bndbox></object></annotation>"
    )
    .into_bytes()
}

fn check(folder: &TempDir, server: &str, data: &str) -> Outcome {
    fetch(folder.path(), server, &["data", "check", data])
}

#[test]
fn coco128_is_unpacked_into_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive(&[
        ("coco128/LICENSE", b"terms".to_vec()),
        ("coco128/images/train2017/1.jpg", jpeg(64, 48, 10)),
        ("coco128/images/train2017/2.jpg", jpeg(64, 48, 90)),
        (
            "coco128/labels/train2017/1.txt",
            b"79 0.5 0.5 0.25 0.25\n".to_vec(),
        ),
    ]);
    let server = Server::start(Manner::of("v1.0/coco128.zip", bytes));
    let outcome = check(&folder, &server.address, "coco128.yaml");
    assert!(
        outcome.stdout.contains("train: 2 pictures, 1 with boxes"),
        "{}\n{}",
        outcome.stdout,
        outcome.stderr
    );
    assert!(
        outcome.stdout.contains("79 toothbrush"),
        "{}",
        outcome.stdout
    );
    let cache = folder.path().join("cache");
    let archives: Vec<_> = fs::read_dir(cache.join("archives"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(
        archives,
        ["coco128-coco128.zip.sha256"],
        "the archive is not kept"
    );
    check(&folder, "http://127.0.0.1:9", "coco128.yaml");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn annotations_of_pascal_voc_become_labels() {
    let folder = tempfile::tempdir().unwrap();
    let root = "BCCD_Dataset-master/BCCD";
    let mut files = Vec::new();
    for (split, picture, class) in [
        ("train", "a_1", "RBC"),
        ("val", "a_2", "WBC"),
        ("test", "a_3", "Platelets"),
    ] {
        files.push((
            format!("{root}/ImageSets/Main/{split}.txt"),
            format!("{picture}\n").into_bytes(),
        ));
        files.push((
            format!("{root}/JPEGImages/{picture}.jpg"),
            jpeg(64, 40, picture.as_bytes()[2] * 3),
        ));
        files.push((
            format!("{root}/Annotations/{picture}.xml"),
            annotation(class),
        ));
    }
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let server = Server::start(Manner {
        path: "/github.com/Shenggan/BCCD_Dataset/archive/refs/heads/master.zip".to_owned(),
        ..Manner::of("", archive(&files))
    });
    let outcome = check(&folder, &server.address, "bccd.yaml");
    for words in [
        "train: 1 picture, 1 with boxes",
        "val: 1 picture",
        "test: 1 picture",
    ] {
        assert!(
            outcome.stdout.contains(words),
            "{words}\n{}\n{}",
            outcome.stdout,
            outcome.stderr
        );
    }
    let labels = folder.path().join("cache/data/bccd/labels/train/a_1.txt");
    assert_eq!(
        fs::read_to_string(labels).unwrap(),
        "1 0.250000 0.500000 0.500000 0.500000\n"
    );
}

#[test]
fn an_archive_that_leads_out_of_its_folder_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive(&[
        ("coco128/images/train2017/1.jpg", jpeg(64, 48, 10)),
        ("../../../escaped.jpg", jpeg(64, 48, 10)),
    ]);
    let server = Server::start(Manner::of("v1.0/coco128.zip", bytes));
    check(&folder, &server.address, "coco128.yaml")
        .expect_code(2)
        .expect_words(&["../../../escaped.jpg", "stay inside the archive"]);
    assert!(!folder.path().join("cache/data").join("coco128").exists());
    assert!(!folder.path().join("escaped.jpg").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn progress_is_a_bar_on_a_terminal_and_lines_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::of("v6.0/yolov5n.pt", golden_weights()));
    let plain = fetch(folder.path(), &server.address, &INSPECT).expect_code(0);
    assert!(
        !plain.stderr.contains('\u{1b}') && !plain.stderr.contains('\r'),
        "{:?}",
        plain.stderr
    );
    fs::remove_dir_all(folder.path().join("cache")).unwrap();
    // `script` of util-linux gives a program a terminal.
    let program = fetching(folder.path(), &server.address, &INSPECT);
    let line = format!(
        "{} inspect --weights yolov5n.pt",
        program.get_program().display()
    );
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder.path())
        .env("TERM", "xterm");
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let Ok(output) = script.output() else {
        eprintln!("SKIPPED: there is no program `script` that gives a terminal");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains('\r') && said.contains("yolov5n.pt ["),
        "{said:?}"
    );
}
