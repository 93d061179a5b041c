"""A training step by the rules of docs/facts.md sections 2 and 4, and the inputs that both programs make."""

import copy
import math

import numpy as np
import torch
from torch import nn

from loss import DetectionLoss

RATE, MOMENTUM, DECAY = 0.01, 0.937, 0.0005
CLIP_NORM = 10.0
TARGETS_PER_PICTURE = 8


def module_index(name):
    return int(name.split(".")[1])


class Trainer:
    """SGD with Nesterov momentum in three groups, gradients clipped, EMA; modules `0..freeze` are frozen.

    Frozen means `requires_grad = False`, as in the reference: frozen modules stay in training mode, normalise
    with the batch and move their statistics. `fixed_norms` puts their BatchNorms into inference mode instead.
    """

    def __init__(self, model, imgsz, freeze=0, fixed_norms=False):
        self.model = model.train()
        for name, parameter in model.named_parameters():
            parameter.requires_grad = module_index(name) >= freeze
        if fixed_norms:
            for module in model.model[:freeze]:
                module.eval()
        norms = {id(m.weight) for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
        biases, weights, norm_weights = [], [], []
        for name, parameter in model.named_parameters():
            group = biases if name.endswith("bias") else norm_weights if id(parameter) in norms else weights
            group.append(parameter)
        self.optimizer = torch.optim.SGD(
            [
                {"params": biases},
                {"params": weights, "weight_decay": DECAY},
                {"params": norm_weights},
            ],
            lr=RATE,
            momentum=MOMENTUM,
            nesterov=True,
        )
        self.loss = DetectionLoss(model.detect, imgsz)
        self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        self.averaged = [
            (average, now)
            for average, now in zip(self.ema.state_dict().values(), model.state_dict().values())
            if average.is_floating_point()
        ]
        self.updates = 0

    def backward(self, pixels, targets):
        """Adds the gradients of a batch of bytes `[B, 3, H, W]`; returns the loss and its items."""
        like = next(self.model.parameters())
        image = pixels.to(like.device, non_blocking=True).to(like.dtype) / 255
        heads = self.model(image)
        total, items = self.loss(heads, targets.to(heads[0]))
        total.backward()
        return total.detach(), items

    def update(self):
        """Clips, steps, averages; returns the norm before clipping."""
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.updates += 1
        share = 1 - 0.9999 * (1 - math.exp(-self.updates / 2000))
        with torch.no_grad():
            for average, now in self.averaged:
                average.lerp_(now, share)
        return norm

    def step(self, pixels, targets):
        total, _ = self.backward(pixels, targets)
        self.update()
        return total


def draw(stream, count):
    """`count` numbers of 64 bits, the same in every program: splitmix64 (Steele et al. 2014) of a counter."""
    with np.errstate(over="ignore"):
        z = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream << 40)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def random_pixels(batch, imgsz):
    """Bytes `[B, 3, H, W]`."""
    numbers = draw(0, batch * 3 * imgsz * imgsz) >> np.uint64(56)
    return torch.from_numpy(numbers.astype(np.uint8).reshape(batch, 3, imgsz, imgsz))


def plausible_targets(batch, nc):
    """Rows `[picture, class, cx, cy, w, h]`: eight boxes a picture, sides from a twentieth to a half of it."""
    rows = batch * TARGETS_PER_PICTURE
    numbers = draw(1, rows * 5).reshape(rows, 5)
    share = (numbers[:, 1:] >> np.uint64(40)).astype(np.float64) / 2**24
    sides = 0.05 + 0.45 * share[:, 2:]
    centres = sides / 2 + (1 - sides) * share[:, :2]
    picture = np.arange(rows) // TARGETS_PER_PICTURE
    columns = (picture, numbers[:, 0] % np.uint64(nc), *centres.T, *sides.T)
    return torch.from_numpy(np.stack(columns, 1).astype(np.float32))
