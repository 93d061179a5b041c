"""The golden numbers of tests/golden, and comparisons with them."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def read_json(name):
    return json.loads((GOLDEN / name).read_text())


def read_tensors(name):
    return load_file(GOLDEN / name)


def batch():
    """The four golden pictures and their boxes."""
    pixels = read_tensors("loss/images_4x3x128x128_u8.safetensors")["images"]
    targets = torch.tensor(read_json("loss/loss_model_nc3.json")["targets_img_cls_xywhn"])
    return pixels, targets


def relative(found, wanted, least=0.0):
    """Difference as a share of `wanted`, or of `least` where that is larger."""
    return abs(found - wanted) / max(abs(wanted), least)


class Checks:
    """Prints every comparison and remembers whether one failed."""

    def __init__(self):
        self.failed = 0

    def __call__(self, what, difference, bound):
        good = difference < bound
        self.failed += not good
        print(f"{'ok  ' if good else 'BAD '} {what}: {difference:.1e} (below {bound:.0e})")
