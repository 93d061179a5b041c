"""How far rounding alone carries ten training steps apart.

    python trace.py golden.safetensors

Runs golden traces in double precision and in single precision with 1 and 2 threads, with and without oneDNN,
and prints per step how far each loss lies from the golden one and from double precision.
"""

import sys

import torch

import golden
from training import Trainer
from yolov5 import load_safetensors

TRACES = (("trace_constant_freeze10_bn_eval", 10, True), ("trace_constant_freeze10", 10, False))


def run(freeze, fixed_norms, dtype=torch.float32, threads=2, onednn=True):
    torch.set_num_threads(threads)
    pixels, targets = golden.batch()
    with torch.backends.mkldnn.flags(enabled=onednn, allow_tf32=None):
        trainer = Trainer(load_safetensors(sys.argv[1], "n").to(dtype), 128, freeze, fixed_norms)
        return [trainer.step(pixels, targets).item() for _ in range(10)]


def row(title, losses, reference):
    cells = "".join(f"{golden.relative(a, b):9.1e}" for a, b in zip(losses, reference))
    print(f"  {title:38}{cells}")


for name, freeze, fixed_norms in TRACES:
    wanted = [step["loss"] for step in golden.read_json(f"trace/{name}.json")["steps"]]
    double = run(freeze, fixed_norms, torch.float64)
    print(f"{name}, relative differences of the loss, steps 0 to 9")
    row("golden from f64", wanted, double)
    for threads in (1, 2):
        for onednn in (True, False):
            single = run(freeze, fixed_norms, threads=threads, onednn=onednn)
            title = f"f32, {threads} threads, {'oneDNN' if onednn else 'no oneDNN'}"
            row(f"{title}: from golden", single, wanted)
            row(f"{title}: from f64", single, double)
