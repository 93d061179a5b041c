//! What is measured, and the bars that the project has set itself.

/// What both programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A training step with modules `0..freeze` frozen.
    Train { freeze: usize },
    /// The same on kept features; in PyTorch, which has none, the plain step.
    TrainCached { freeze: usize },
    /// Pictures in, decoded boxes out.
    Infer,
}

/// A case with its bars.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// `n`, `s`, …
    pub size: &'static str,
    /// Side of the input in pixels.
    pub imgsz: usize,
    /// Pictures per step.
    pub batch: usize,
    pub task: Task,
    /// Steps of one measurement.
    pub steps: usize,
    /// The time of PyTorch's that ours must not exceed, as a factor.
    pub time_bar: Option<f64>,
    /// The growth of peak memory that ours must not exceed, in MiB.
    pub memory_bar_mib: Option<f64>,
}

impl Case {
    pub fn name(&self) -> String {
        let Self {
            size, imgsz, batch, ..
        } = self;
        match self.task {
            Task::Train { freeze } => format!("{size}, {imgsz} px, batch {batch}, freeze {freeze}"),
            Task::TrainCached { freeze } => {
                format!("{size}, {imgsz} px, batch {batch}, freeze {freeze}, kept features")
            }
            Task::Infer => format!("{size}, {imgsz} px, batch {batch}, inference"),
        }
    }
}

const fn train(
    size: &'static str,
    imgsz: usize,
    batch: usize,
    freeze: usize,
    steps: usize,
) -> Case {
    Case {
        size,
        imgsz,
        batch,
        task: Task::Train { freeze },
        steps,
        time_bar: None,
        memory_bar_mib: None,
    }
}

const fn infer(size: &'static str, imgsz: usize, batch: usize, steps: usize) -> Case {
    Case {
        task: Task::Infer,
        ..train(size, imgsz, batch, 0, steps)
    }
}

impl Case {
    const fn cached(self) -> Self {
        let task = match self.task {
            Task::Train { freeze } => Task::TrainCached { freeze },
            other => other,
        };
        Self { task, ..self }
    }

    const fn within(self, time: f64) -> Self {
        Self {
            time_bar: Some(time),
            ..self
        }
    }

    const fn holding(self, mib: f64) -> Self {
        Self {
            memory_bar_mib: Some(mib),
            ..self
        }
    }
}

/// On the CPU.
pub const CPU: &[Case] = &[
    train("n", 128, 8, 0, 20).within(0.9),
    train("n", 128, 8, 10, 20).within(0.7),
    train("n", 128, 8, 24, 30).within(0.6),
    train("n", 320, 4, 0, 10).within(0.9).holding(160.0),
    train("n", 320, 4, 10, 15).within(0.7).holding(60.0),
    train("n", 320, 4, 24, 20).within(0.6).holding(25.0),
    train("n", 128, 8, 10, 20).cached(),
    train("n", 128, 8, 24, 30).cached(),
    train("n", 320, 4, 10, 15).cached().within(0.45),
    train("n", 320, 4, 24, 20).cached().within(0.1),
    train("s", 128, 8, 0, 10),
    train("s", 128, 8, 10, 15),
    train("s", 128, 8, 24, 20),
    train("s", 320, 4, 0, 6),
    train("s", 320, 4, 10, 8),
    train("s", 320, 4, 24, 10),
    train("s", 320, 4, 10, 8).cached(),
    train("s", 320, 4, 24, 10).cached(),
    infer("n", 320, 1, 40),
    infer("n", 640, 1, 20).within(1.0),
    infer("s", 320, 1, 20),
    infer("s", 640, 1, 8),
];

/// At least 0.7 of PyTorch's pictures per second.
const GPU_BAR: f64 = 1.0 / 0.7;

/// On a GPU.
pub const GPU: &[Case] = &[
    train("n", 640, 16, 0, 30).within(GPU_BAR),
    train("n", 640, 16, 10, 30).within(GPU_BAR),
    train("n", 640, 16, 24, 30).within(GPU_BAR),
    train("n", 640, 16, 24, 30).cached().within(1.0),
    train("s", 640, 16, 0, 20).within(GPU_BAR),
    train("s", 640, 16, 10, 20).within(GPU_BAR),
    train("s", 640, 16, 24, 20).within(GPU_BAR),
    train("s", 640, 16, 24, 20).cached().within(1.0),
    infer("n", 640, 1, 50),
    infer("n", 640, 16, 30),
    infer("s", 640, 1, 50),
    infer("s", 640, 16, 20),
];
