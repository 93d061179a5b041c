//! What the engine has, and how it answers.

use std::collections::HashSet;
use std::sync::Arc;

use burn::tensor::Device;
use frostline::data::Label;
use frostline::data::memory::{MemoryItem, MemorySet};
use frostline::data::resize::Purpose;
use frostline::eval::NmsOptions;
use frostline::train::run::{Run, RunData, RunSettings, Snapshot};
use frostline::train::start::architecture_of;
use frostline::{Error, Result};
use js_sys::ArrayBuffer;

use super::browser::{Turn, bytes_of, hand_over, now_s, say};
use super::check;
use super::device::{self, Chosen, Gpu, Loss};
use super::files;
use super::inbox::{Asked, Inbox};
use super::network::{Pixels, Weights, find, onnx_of, xray};
use super::opfs::Scratch;
use super::training::{Training, forecast, settings_of};
use crate::messages::{
    Ask, Check, CheckedSaid, DataSaid, LabelledPicture, Letter, PictureForm, Refusal, Said,
    TrainAsk, Use, Which, Wish,
};

/// The file name that fine-tuned weights go out under, as the native program calls them.
const BEST: &str = "best.safetensors";
const BEST_ONNX: &str = "best.onnx";

/// The file name that a set goes out under.
const PACKED: &str = "pictures.zip";

/// Starts the engine: from now on it hears.
pub fn start() {
    std::panic::set_hook(Box::new(|panic| {
        let refusal = Refusal {
            place: "the engine".to_owned(),
            found: panic.to_string(),
            expected: "a program without defects".to_owned(),
            next: "Load the page again, and please report this".to_owned(),
        };
        say(0, Said::Failed(refusal), None);
    }));
    let inbox = Inbox::open();
    wasm_bindgen_futures::spawn_local(async move {
        match Turn::open() {
            Ok(turn) => Engine::new().await.run(&inbox, &turn).await,
            Err(error) => say(0, Said::Failed(error.into()), None),
        }
    });
}

struct Pictures {
    classes: Vec<String>,
    train: Vec<MemoryItem>,
    val: Vec<MemoryItem>,
}

struct Engine {
    chosen: Chosen,
    gpu: Option<Gpu>,
    scratch: Scratch,
    before: Option<Weights>,
    after: Option<Weights>,
    /// The file of `after`.
    best: Option<Vec<u8>>,
    pictures: Option<Pictures>,
    training: Option<Training>,
}

impl Engine {
    async fn new() -> Self {
        Self {
            chosen: Chosen::cpu("nobody has chosen yet"),
            gpu: None,
            scratch: Scratch::open().await,
            before: None,
            after: None,
            best: None,
            pictures: None,
            training: None,
        }
    }

    async fn run(mut self, inbox: &Inbox, turn: &Turn) {
        loop {
            let trains = self.training.as_ref().is_some_and(|run| !run.paused);
            let asked = if trains {
                turn.over().await;
                inbox.take()
            } else {
                Some(inbox.next().await)
            };
            let loss = self.loss();
            let id = asked.as_ref().map(|(letter, _)| letter.id);
            let done = match asked {
                Some(asked) => loss.or(self.answer(asked)).await,
                None => loss.or(self.advance()).await,
            };
            if let Err(why) = done {
                self.lost(why, id).await;
            }
        }
    }

    /// That of the device in use; the CPU stays.
    fn loss(&self) -> Loss {
        match &self.gpu {
            Some(gpu) if self.chosen.said.gpu => gpu.loss.clone(),
            _ => Loss::default(),
        }
    }

    fn device(&self) -> Device {
        self.chosen.device.clone()
    }

    /// A piece of the run under way.
    async fn advance(&mut self) {
        let Some(training) = &mut self.training else {
            return;
        };
        match training.advance().await {
            Ok(false) => {}
            Ok(true) => self.end_run(),
            Err(error) => {
                say(training.id, Said::Failed(error.into()), None);
                self.end_run();
            }
        }
    }

    /// The run is over; its best weights stay.
    fn end_run(&mut self) {
        let Some(training) = self.training.take() else {
            return;
        };
        if let Some(best) = training.run.best() {
            self.after = Weights::read(best, BEST.to_owned()).ok();
            self.best = Some(best.to_vec());
        }
    }

    async fn answer(&mut self, (Letter { id, body }, buffers): Asked) {
        if let Err(error) = self.answer_or_fail(id, body, &buffers).await {
            say(id, Said::Failed(error.into()), None);
        }
    }

    async fn answer_or_fail(&mut self, id: u32, ask: Ask, buffers: &[ArrayBuffer]) -> Result<()> {
        let first = || {
            buffers
                .first()
                .map(bytes_of)
                .ok_or_else(|| Error::input("a message to the engine", "no bytes", "a file", ""))
        };
        let mut bytes = None;
        let said = match ask {
            Ask::Start {
                device,
                feature_mib,
            } => {
                self.scratch.keep_in_memory(feature_mib);
                self.choose(device).await?
            }
            Ask::Weights { name } => {
                self.interrupt("other weights came");
                let weights = Weights::read(&first()?, name)?;
                let said = weights.said();
                (self.before, self.after, self.best) = (Some(weights), None, None);
                Said::Weights(said)
            }
            Ask::Open { files, classes } => {
                let (said, found) = files::opened(files, &classes, buffers)?;
                hand_over(id, said, found);
                return Ok(());
            }
            Ask::Pack { classes, pictures } => {
                bytes = Some(files::packed(&classes, pictures, buffers)?);
                Said::Packed {
                    name: PACKED.to_owned(),
                }
            }
            Ask::Data { classes, pictures } => {
                self.interrupt("other pictures came");
                Said::Data(self.take_pictures(classes, pictures, buffers))
            }
            Ask::Forecast(ask) => self.forecast(&ask)?,
            Ask::Train(ask) => {
                let settings = settings_of(&ask)?;
                self.interrupt("another run began");
                let run = self.begin(settings).await?;
                self.training = Some(Training::begin(id, run));
                return Ok(());
            }
            Ask::Resume => {
                self.interrupt("another run began");
                let snapshot = Snapshot::from_bytes(&first()?)?;
                let run = self.resume(snapshot).await?;
                self.training = Some(Training::begin(id, run));
                return Ok(());
            }
            Ask::Pause => {
                self.under_way()?.paused = true;
                Said::Fine
            }
            Ask::Go => {
                self.under_way()?.paused = false;
                Said::Fine
            }
            Ask::Stop => {
                self.under_way()?.stop()?;
                Said::Fine
            }
            Ask::Detect {
                picture,
                imgsz,
                conf,
                iou,
                which,
            } => {
                let options = NmsOptions {
                    conf,
                    iou,
                    ..NmsOptions::default()
                };
                self.detect(first()?, picture, imgsz, &options, which)
                    .await?
            }
            Ask::Xray {
                picture,
                imgsz,
                module,
                which,
            } => {
                let pixels = Pixels::read(first()?, picture)?;
                check_size(imgsz)?;
                let device = self.device();
                let (model, _) = &mut *self.network(which)?;
                let seen = xray(model, pixels, imgsz, module, &device).await?;
                bytes = Some(seen.rgba);
                let [width, height] = seen.size;
                Said::Xray {
                    planes: seen.planes,
                    width,
                    height,
                    content: seen.content,
                }
            }
            Ask::Export => {
                let best = match &self.training {
                    Some(training) => training.run.best().map(<[u8]>::to_vec),
                    None => self.best.clone(),
                };
                bytes = Some(best.ok_or_else(not_trained)?);
                Said::Exported {
                    name: BEST.to_owned(),
                }
            }
            Ask::Onnx { imgsz } => {
                check_size(imgsz)?;
                bytes = Some(onnx_of(&first()?, imgsz).await?);
                Said::Exported {
                    name: BEST_ONNX.to_owned(),
                }
            }
            Ask::Check(Check::Kernels) => {
                let found = check::kernels(self.gpu.as_ref()).await?;
                Said::Checked(CheckedSaid::Kernels(found))
            }
            Ask::Check(Check::Steps { settings, steps }) => {
                let settings = settings_of(&settings)?;
                let mut run = self.begin(settings).await?;
                let losses = check::steps(&mut run, steps).await?;
                Said::Checked(CheckedSaid::Steps(losses))
            }
            Ask::Check(Check::Lose) => {
                if let Some(gpu) = &self.gpu {
                    gpu.handles.0.destroy();
                }
                Said::Fine
            }
        };
        say(id, said, bytes.as_deref());
        Ok(())
    }

    async fn choose(&mut self, wish: Wish) -> Result<Said> {
        let chosen = device::choose(wish, &mut self.gpu).await?;
        self.interrupt("another device was chosen");
        self.chosen = chosen;
        self.forget_networks();
        Ok(Said::Ready(self.chosen.said.clone()))
    }

    fn forget_networks(&mut self) {
        let weights = [&mut self.before, &mut self.after];
        for weights in weights.into_iter().flatten() {
            weights.forget_network();
        }
    }

    /// Ends the run under way, if there is one; whoever asked for it hears why.
    fn interrupt(&mut self, found: &str) {
        if let Some(training) = &self.training {
            let error = Error::input("the run", found, "a run that goes on to its end", "");
            say(training.id, Said::Failed(error.into()), None);
        }
        self.end_run();
    }

    fn under_way(&mut self) -> Result<&mut Training> {
        self.training
            .as_mut()
            .ok_or_else(|| Error::input("the run", "none", "a run under way", "Start one"))
    }

    fn take_pictures(
        &mut self,
        classes: Vec<String>,
        pictures: Vec<LabelledPicture>,
        buffers: &[ArrayBuffer],
    ) -> DataSaid {
        let (mut train, mut val, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut names = HashSet::new();
        let (mut boxes, mut buffers) = (0, buffers.iter());
        for picture in pictures {
            let bytes = buffers.next().map(bytes_of);
            let labels = picture.boxes.iter();
            let labels = labels.map(|&(class, cxcywh)| Label { class, cxcywh });
            let item = match bytes {
                _ if !names.insert((picture.split, picture.name.clone())) => Err(Error::input(
                    &picture.name,
                    "a second picture of this name",
                    "one name for each picture",
                    "Give it another name",
                )),
                None => Err(Error::input(&picture.name, "no bytes", "its file", "")),
                Some(bytes) => MemoryItem::new(
                    &picture.name,
                    Arc::from(bytes),
                    labels.collect(),
                    classes.len(),
                ),
            };
            match item {
                Ok(item) => {
                    boxes += item.labels().len();
                    match picture.split {
                        Use::Train => train.push(item),
                        Use::Val => val.push(item),
                    }
                }
                Err(error) => refused.push(Refusal::from(error)),
            }
        }
        let said = DataSaid {
            train: train.len(),
            val: val.len(),
            boxes,
            refused,
        };
        self.pictures = Some(Pictures {
            classes,
            train,
            val,
        });
        said
    }

    /// The pictures as a run wants them.
    fn data(&self, imgsz: usize) -> Result<RunData> {
        let Some(pictures) = &self.pictures else {
            return Err(Error::input(
                "the data",
                "none",
                "pictures with boxes",
                "Add some",
            ));
        };
        let set = |items: &Vec<MemoryItem>, purpose| {
            MemorySet::new(items.clone(), imgsz, purpose).map(Arc::new)
        };
        let train = set(&pictures.train, Purpose::Train)?;
        if train.items().iter().all(|item| item.labels().is_empty()) {
            return Err(Error::input(
                "the data",
                "not one box to learn from",
                "boxes around what is to be found",
                "Draw some",
            ));
        }
        Ok(RunData {
            names: pictures.classes.clone(),
            train,
            val: set(&pictures.val, Purpose::Val)?,
        })
    }

    fn forecast(&self, ask: &TrainAsk) -> Result<Said> {
        let settings = settings_of(ask)?;
        let weights = self.before.as_ref().ok_or_else(no_weights)?;
        let data = self.data(settings.imgsz)?;
        let architecture = architecture_of(&weights.checkpoint, &weights.name, data.names.len())?;
        let plan = settings.settle(&architecture, &*data.train, self.scratch.most_bytes())?;
        Ok(Said::Started(forecast(&plan)))
    }

    async fn begin(&self, settings: RunSettings) -> Result<Run> {
        let weights = self.before.as_ref().ok_or_else(no_weights)?;
        check_size(settings.imgsz)?;
        let data = self.data(settings.imgsz)?;
        Run::new(
            settings,
            &weights.checkpoint,
            &weights.name,
            data,
            self.scratch.most_bytes(),
            self.scratch.stores(),
            &self.chosen.device,
        )
        .await
    }

    async fn resume(&self, snapshot: Snapshot) -> Result<Run> {
        let data = self.data(snapshot.settings()?.imgsz)?;
        Run::resume(snapshot, data, self.scratch.stores(), &self.chosen.device).await
    }

    async fn detect(
        &mut self,
        bytes: Vec<u8>,
        form: PictureForm,
        imgsz: usize,
        options: &NmsOptions,
        which: Which,
    ) -> Result<Said> {
        let began = now_s();
        check_size(imgsz)?;
        let pixels = Pixels::read(bytes, form)?;
        let device = self.device();
        let (model, classes) = &mut *self.network(which)?;
        let boxes = find(model, &pixels, imgsz, options, &device).await?;
        Ok(Said::Detected {
            boxes,
            classes: classes.clone(),
            seconds: now_s() - began,
        })
    }

    /// The network that looks at pictures: that of a run under way as it stands.
    fn network(&mut self, which: Which) -> Result<NetworkOf<'_>> {
        let device = self.chosen.device.clone();
        if which == Which::Before {
            let weights = self.before.as_mut().ok_or_else(no_weights)?;
            return weights.network(&device).map(NetworkOf::Kept);
        }
        if let (Some(training), Some(pictures)) = (&self.training, &self.pictures) {
            let network = (training.run.network(), pictures.classes.clone());
            return Ok(NetworkOf::Now(Box::new(network)));
        }
        let weights = self.after.as_mut().ok_or_else(not_trained)?;
        weights.network(&device).map(NetworkOf::Kept)
    }

    /// The device went away in the middle of something: the engine goes on with the CPU.
    async fn lost(&mut self, why: String, asked: Option<u32>) {
        self.chosen = Chosen::cpu(format!("the GPU was lost: {why}"));
        self.forget_networks();
        let snapshot = self
            .training
            .as_mut()
            .map(|training| training.snapshot.clone());
        let mut from_epoch = None;
        let mut failure = None;
        if let Some(snapshot) = snapshot {
            match self.begin_again(snapshot.as_deref()).await {
                Ok(epoch) => from_epoch = Some(epoch),
                Err(error) => failure = Some(error),
            }
        }
        let lost = Said::Lost {
            why: why.clone(),
            now: self.chosen.said.clone(),
            from_epoch,
        };
        say(0, lost, None);
        if let Some(error) = failure
            && let Some(training) = self.training.take()
        {
            say(training.id, Said::Failed(error.into()), None);
        }
        if let Some(id) = asked {
            let error = Error::input(
                "the device",
                format!("a GPU that went away ({why})"),
                "a finished computation",
                "Ask again: the engine computes on the CPU now",
            );
            say(id, Said::Failed(error.into()), None);
        }
    }

    /// The run under way from its snapshot, or from its beginning, on the device in use.
    async fn begin_again(&mut self, snapshot: Option<&[u8]>) -> Result<usize> {
        let Some(training) = &self.training else {
            return Ok(0);
        };
        let run = match snapshot {
            Some(bytes) => self.resume(Snapshot::from_bytes(bytes)?).await?,
            None => self.begin(training.run.settings().clone()).await?,
        };
        let epoch = run.epoch();
        if let Some(training) = &mut self.training {
            training.replace(run);
        }
        Ok(epoch)
    }
}

/// A network that is kept, or one of a run under way.
enum NetworkOf<'a> {
    Kept(&'a mut (frostline::model::Folded, Vec<String>)),
    Now(Box<(frostline::model::Folded, Vec<String>)>),
}

impl std::ops::Deref for NetworkOf<'_> {
    type Target = (frostline::model::Folded, Vec<String>);

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Kept(network) => network,
            Self::Now(network) => network,
        }
    }
}

impl std::ops::DerefMut for NetworkOf<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Kept(network) => network,
            Self::Now(network) => network,
        }
    }
}

fn check_size(imgsz: usize) -> Result<()> {
    const STRIDE: usize = 32;
    const MOST: usize = 4096;
    if imgsz.is_multiple_of(STRIDE) && (STRIDE..=MOST).contains(&imgsz) {
        return Ok(());
    }
    Err(Error::input(
        "the image size",
        format!("{imgsz} px"),
        "a multiple of 32 px up to 4096",
        "",
    ))
}

fn no_weights() -> Error {
    Error::input(
        "the weights",
        "none",
        "a .pt or .safetensors file",
        "Load some",
    )
}

fn not_trained() -> Error {
    Error::input(
        "the fine-tuned weights",
        "none",
        "a run that has finished an epoch",
        "Start a run",
    )
}
