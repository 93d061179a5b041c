//! Videos, read and written by ffmpeg where it is installed: frames come and go through pipes, as plain pixels.

use std::io::{ErrorKind, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, anyhow, ensure};
use frostline::Error;
use image::RgbImage;

/// The program, looked for on the PATH.
const FFMPEG: &str = "ffmpeg";
const SUFFIXES: [&str; 11] = [
    "asf", "avi", "gif", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "webm", "wmv",
];

/// Whether a file is a video by its name.
pub fn has_video_suffix(path: &Path) -> bool {
    let suffix = path
        .extension()
        .map(|suffix| suffix.to_string_lossy().to_lowercase());
    suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix.as_str()))
}

/// What a video is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Width and height in pixels, turned upright.
    pub size: [u32; 2],
    /// Frames per second, as a fraction such as `30000/1001`.
    pub rate: String,
}

impl Form {
    /// From the header of a `YUV4MPEG2` stream.
    fn parse(header: &str) -> Option<Self> {
        let mut fields = header.split_ascii_whitespace();
        if fields.next()? != "YUV4MPEG2" {
            return None;
        }
        let (mut width, mut height, mut rate) = (None, None, None);
        for field in fields {
            let (key, value) = field.split_at_checked(1)?;
            match key {
                "W" => width = value.parse().ok(),
                "H" => height = value.parse().ok(),
                "F" => rate = Some(value.replace(':', "/")),
                _ => {}
            }
        }
        let size = [width?, height?];
        (!size.contains(&0)).then_some(Self { size, rate: rate? })
    }

    /// The same with only every `stride`th frame.
    pub fn every(&self, stride: usize) -> Self {
        let (frames, seconds) = self.rate.split_once('/').unwrap_or((&self.rate, "1"));
        let seconds = seconds.parse::<usize>().unwrap_or(1) * stride;
        Self {
            size: self.size,
            rate: format!("{frames}/{seconds}"),
        }
    }

    fn frame_bytes(&self) -> usize {
        self.size
            .iter()
            .map(|&side| side as usize)
            .product::<usize>()
            * 3
    }
}

/// The frames of a video, one after the other.
#[derive(Debug)]
pub struct Reader {
    pub form: Form,
    child: Child,
    out: ChildStdout,
}

impl Reader {
    /// Opens `path`.
    ///
    /// # Errors
    /// There is no ffmpeg, or it finds no video there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let form = form(path)?;
        let mut child = spawn(
            ffmpeg()
                .arg("-i")
                .arg(path)
                // The rate too: frames then come evenly, as they are written again.
                .args([
                    "-map", "0:v:0", "-r", &form.rate, "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::piped()),
        )?;
        let out = child.stdout.take().context("ffmpeg's frames")?;
        Ok(Self { form, child, out })
    }

    /// The next frame; none at the end.
    ///
    /// # Errors
    /// ffmpeg failed on the way.
    pub fn frame(&mut self) -> anyhow::Result<Option<RgbImage>> {
        let mut pixels = vec![0; self.form.frame_bytes()];
        match self.out.read_exact(&mut pixels) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let status = self.child.wait()?;
                ensure!(status.success(), "ffmpeg ended with {status} while it read");
                return Ok(None);
            }
            Err(error) => return Err(error).context("ffmpeg's frames"),
        }
        let [width, height] = self.form.size;
        let frame = RgbImage::from_raw(width, height, pixels);
        frame
            .map(Some)
            .ok_or_else(|| anyhow!("a frame of another size"))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A video in the making.
#[derive(Debug)]
pub struct Writer {
    child: Child,
    input: Option<ChildStdin>,
}

impl Writer {
    /// Starts the video `to`, of frames like `form`.
    ///
    /// # Errors
    /// There is no ffmpeg.
    pub fn create(to: &Path, form: &Form) -> anyhow::Result<Self> {
        let [width, height] = form.size;
        let mut child = spawn(
            ffmpeg()
                .args([
                    "-f",
                    "rawvideo",
                    "-pix_fmt",
                    "rgb24",
                    "-s",
                    &format!("{width}x{height}"),
                ])
                .args(["-r", &form.rate, "-i", "-"])
                // Players want even sides and this order of colours.
                .args([
                    "-vf",
                    "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                    "-pix_fmt",
                    "yuv420p",
                    "-y",
                ])
                .arg(to)
                .stdin(Stdio::piped())
                .stdout(Stdio::null()),
        )?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub fn add(&mut self, frame: &RgbImage) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("a finished video")?;
        input
            .write_all(frame.as_raw())
            .context("ffmpeg takes no more frames")
    }

    /// Ends the video.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub fn finish(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(
            status.success(),
            "ffmpeg ended with {status} while it wrote"
        );
        Ok(())
    }
}

fn ffmpeg() -> Command {
    let mut command = Command::new(FFMPEG);
    command.args(["-v", "error"]);
    command
}

fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().map_err(|error| {
        if error.kind() != ErrorKind::NotFound {
            return anyhow::Error::from(error).context("ffmpeg");
        }
        let next = "Install it (https://ffmpeg.org), or save the frames as pictures first";
        Error::input(
            "--source",
            "a video, but no ffmpeg on the PATH",
            "ffmpeg, which reads videos",
            next,
        )
        .into()
    })
}

/// What the video at `path` is like, from the header of its first frame.
fn form(path: &Path) -> anyhow::Result<Form> {
    let mut child = spawn(
        ffmpeg()
            .arg("-i")
            .arg(path)
            .args([
                "-map",
                "0:v:0",
                "-frames:v",
                "1",
                "-pix_fmt",
                "yuv420p",
                "-f",
                "yuv4mpegpipe",
                "-",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped()),
    )?;
    let mut bytes = Vec::new();
    if let Some(out) = &mut child.stdout {
        out.read_to_end(&mut bytes)
            .context("ffmpeg's first frame")?;
    }
    child.wait()?;
    let header = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let form = std::str::from_utf8(header).ok().and_then(Form::parse);
    form.ok_or_else(|| {
        let next = "See whether a player shows it";
        Error::input(
            path.display(),
            "no frame that ffmpeg could read",
            "a video",
            next,
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_size_and_rate() {
        let form = Form::parse("YUV4MPEG2 W639 H480 F30000:1001 Ip A1:1 C420jpeg").unwrap();
        assert_eq!((form.size, form.rate.as_str()), ([639, 480], "30000/1001"));
        assert_eq!(form.every(2).rate, "30000/2002");
        assert_eq!(form.frame_bytes(), 639 * 480 * 3);
        for bad in ["", "RIFF", "YUV4MPEG2 W0 H4 F1:1", "YUV4MPEG2 W4 F1:1"] {
            assert_eq!(Form::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn videos_are_known_by_their_names() {
        assert!(has_video_suffix(Path::new("a/clip.MP4")));
        assert!(!has_video_suffix(Path::new("a/clip.jpg")));
        assert!(!has_video_suffix(Path::new("mp4")));
    }
}
