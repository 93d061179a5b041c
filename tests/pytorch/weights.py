"""Writes seeded weights for a case, with BatchNorm statistics such that signals neither grow nor vanish."""

import argparse

import torch
from safetensors.torch import save_file
from torch import nn

from training import random_pixels
from yolov5 import Yolov5

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", required=True, choices="nsmlx")
parser.add_argument("--nc", type=int, default=80)
parser.add_argument("--out", required=True)
args = parser.parse_args()

torch.manual_seed(0)
model = Yolov5(args.size, args.nc).train()
norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
for norm in norms:
    norm.momentum = 1.0  # the statistics become those of the one batch
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, 0, 0.3)
with torch.no_grad():
    model(random_pixels(8, 128) / 255)
save_file({name: value.contiguous() for name, value in model.state_dict().items()}, args.out)
