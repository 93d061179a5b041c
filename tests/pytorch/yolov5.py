"""YOLOv5 v6.0 in PyTorch, written from docs/facts.md alone: what Frostline is measured against.

Names are the checkpoint's: `model.0.conv.weight`, `model.2.m.0.cv1.bn.running_mean`, ...
"""

import math

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

# Depth and width by size.
MULTIPLES = {
    "n": (0.33, 0.25),
    "s": (0.33, 0.50),
    "m": (0.67, 0.75),
    "l": (1.0, 1.0),
    "x": (1.33, 1.25),
}
ANCHORS_PX = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
STRIDES = (8, 16, 32)

# From, repeats, kind, output channels, and for Conv kernel and stride, for C3 whether it has shortcuts.
ROWS = (
    ([-1], 1, "Conv", 64, 6, 2),
    ([-1], 1, "Conv", 128, 3, 2),
    ([-1], 3, "C3", 128, True),
    ([-1], 1, "Conv", 256, 3, 2),
    ([-1], 6, "C3", 256, True),
    ([-1], 1, "Conv", 512, 3, 2),
    ([-1], 9, "C3", 512, True),
    ([-1], 1, "Conv", 1024, 3, 2),
    ([-1], 3, "C3", 1024, True),
    ([-1], 1, "SPPF", 1024),
    ([-1], 1, "Conv", 512, 1, 1),
    ([-1], 1, "Upsample"),
    ([-1, 6], 1, "Concat"),
    ([-1], 3, "C3", 512, False),
    ([-1], 1, "Conv", 256, 1, 1),
    ([-1], 1, "Upsample"),
    ([-1, 4], 1, "Concat"),
    ([-1], 3, "C3", 256, False),
    ([-1], 1, "Conv", 256, 3, 2),
    ([-1, 14], 1, "Concat"),
    ([-1], 3, "C3", 512, False),
    ([-1], 1, "Conv", 512, 3, 2),
    ([-1, 10], 1, "Concat"),
    ([-1], 3, "C3", 1024, False),
    ([17, 20, 23], 1, "Detect"),
)


class Conv(nn.Module):
    """Convolution without bias, BatchNorm, SiLU."""

    def __init__(self, c1, c2, k=1, s=1):
        super().__init__()
        # The first convolution, 6x6, is padded by 2; the others by half their kernel.
        self.conv = nn.Conv2d(c1, c2, k, s, (k - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))

    def fuse(self):
        self.conv = torch.nn.utils.fuse_conv_bn_eval(self.conv, self.bn)
        self.bn = nn.Identity()
        self.act = nn.SiLU(inplace=True)


class Bottleneck(nn.Module):
    def __init__(self, c, shortcut):
        super().__init__()
        self.cv1 = Conv(c, c)
        self.cv2 = Conv(c, c, 3)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    def __init__(self, c1, c2, n, shortcut):
        super().__init__()
        hidden = c2 // 2
        self.cv1 = Conv(c1, hidden)
        self.cv2 = Conv(c1, hidden)
        self.cv3 = Conv(2 * hidden, c2)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(n)))

    def forward(self, x):
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class SPPF(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        hidden = c1 // 2
        self.cv1 = Conv(c1, hidden)
        self.cv2 = Conv(4 * hidden, c2)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        x = self.cv1(x)
        y1 = self.pool(x)
        y2 = self.pool(y1)
        return self.cv2(torch.cat((x, y1, y2, self.pool(y2)), 1))


class Concat(nn.Module):
    def forward(self, xs):
        return torch.cat(xs, 1)


class Detect(nn.Module):
    """One 1x1 convolution per scale; raw heads are `[B, A, H, W, 5+C]`."""

    def __init__(self, channels, nc):
        super().__init__()
        self.nc = nc
        outputs = len(ANCHORS_PX[0]) * (5 + nc)
        self.m = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in channels)
        pixels = torch.tensor(ANCHORS_PX, dtype=torch.float32)
        self.register_buffer("anchors", pixels / torch.tensor(STRIDES).view(-1, 1, 1))
        self.grids = {}
        for conv, stride in zip(self.m, STRIDES):
            bias = conv.bias.data.view(len(ANCHORS_PX[0]), -1)
            bias[:, 4] += math.log(8 / (640 / stride) ** 2)
            bias[:, 5:] += math.log(0.6 / (nc - 0.99999))

    def forward(self, xs):
        heads = []
        for conv, x in zip(self.m, xs):
            x = conv(x)
            batch, _, height, width = x.shape
            heads.append(x.view(batch, -1, 5 + self.nc, height, width).permute(0, 1, 3, 4, 2))
        return heads

    def decode(self, heads):
        """Rows `[B, N, 5+C]`: centre and size in pixels, objectness, classes; scale, anchor, y, x."""
        rows = []
        for i, (head, stride) in enumerate(zip(heads, STRIDES)):
            batch, _, height, width, outputs = head.shape
            corner = self.corners(i, height, width, head)
            p = head.sigmoid()
            xy = (p[..., :2] * 2 + corner) * stride
            wh = (p[..., 2:4] * 2) ** 2 * (self.anchors[i] * stride).view(1, -1, 1, 1, 2)
            rows.append(torch.cat((xy, wh, p[..., 4:]), -1).view(batch, -1, outputs))
        return torch.cat(rows, 1)

    def corners(self, scale, height, width, like):
        """Corners of the cells less half a cell, `[H, W, 2]`, made once per shape."""
        key = (scale, height, width, like.device, like.dtype)
        if key not in self.grids:
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            self.grids[key] = (torch.stack((x, y), -1) - 0.5).to(like)
        return self.grids[key]


class Yolov5(nn.Module):
    def __init__(self, size, nc=80):
        super().__init__()
        depth, width = MULTIPLES[size]
        channels, modules, self.sources = [], [], []
        for index, (sources, repeats, kind, *args) in enumerate(ROWS):
            sources = [index + source if source < 0 else source for source in sources]
            inputs = [channels[source] if source >= 0 else 3 for source in sources]
            c2 = math.ceil(args[0] * width / 8) * 8 if args else inputs[0]
            n = max(round(repeats * depth), 1)
            if kind == "Conv":
                module = Conv(inputs[0], c2, *args[1:])
            elif kind == "C3":
                module = C3(inputs[0], c2, n, args[1])
            elif kind == "SPPF":
                module = SPPF(inputs[0], c2)
            elif kind == "Upsample":
                module = nn.Upsample(scale_factor=2, mode="nearest")
            elif kind == "Concat":
                module, c2 = Concat(), sum(inputs)
            else:
                module = Detect(inputs, nc)
            self.sources.append(sources)
            modules.append(module)
            channels.append(c2)
        self.model = nn.Sequential(*modules)
        # Outputs that nothing after a module reads are let go there.
        self.finished = [
            [source for source in sources if all(source not in later for later in self.sources[index + 1 :])]
            for index, sources in enumerate(self.sources)
        ]

    @property
    def detect(self):
        return self.model[-1]

    def forward(self, x):
        """Image `[B, 3, H, W]` in 0..1 to raw heads."""
        outputs = {-1: x}
        for index, (module, sources) in enumerate(zip(self.model, self.sources)):
            xs = [outputs[source] for source in sources]
            x = module(xs) if isinstance(module, (Concat, Detect)) else module(xs[0])
            del xs
            for source in self.finished[index]:
                del outputs[source]
            outputs[index] = x
        return x

    def predict(self, x):
        return self.detect.decode(self(x))

    def fuse(self):
        """Folds every BatchNorm into its convolution, for inference."""
        self.eval()
        for module in self.modules():
            if isinstance(module, Conv):
                module.fuse()
        return self


def load_safetensors(path, size):
    """The network of that size with the weights of a file, its classes counted from Detect."""
    state = load_file(path)
    detect = len(ROWS) - 1
    nc = state[f"model.{detect}.m.0.bias"].numel() // len(ANCHORS_PX[0]) - 5
    model = Yolov5(size, nc)
    model.load_state_dict(state)
    return model
