"""Measures one case and prints it as JSON, with the keys of `frostline bench --json`."""

import argparse
import json
import statistics
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="n", choices="nsmlx")
    parser.add_argument("--weights", help=".safetensors under the checkpoint's names; without, seeded ones")
    parser.add_argument("--nc", type=int, default=80, help="classes, without --weights")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--freeze", type=int, default=0, help="modules 0..N-1")
    parser.add_argument("--mode", default="train", choices=["train", "infer"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tf32", action="store_true", help="let CUDA round products to tf32")
    parser.add_argument("--channels-last", action="store_true", help="tensors as [B, H, W, C] in memory")
    return parser.parse_args()


def wake(torch):
    """A step of next to nothing: what PyTorch loads at its first use belongs to the idle program."""
    layer = torch.nn.Conv2d(1, 1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    layer(torch.zeros(1, 1, 8, 8)).sum().backward()
    torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    optimizer.step()


def main():
    args = arguments()
    import torch

    from memory import PeakGrowth
    from training import Trainer, plausible_targets, random_pixels
    from yolov5 import Yolov5, load_safetensors

    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.backends.cudnn.allow_tf32 = args.tf32
    torch.backends.cudnn.benchmark = True
    on_gpu = args.device.startswith("cuda")
    if on_gpu:
        torch.zeros(1, device=args.device)
    wake(torch)
    memory = PeakGrowth()

    torch.manual_seed(0)
    model = load_safetensors(args.weights, args.size) if args.weights else Yolov5(args.size, args.nc)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    pixels = random_pixels(args.batch, args.imgsz).to(memory_format=layout)
    if args.mode == "train":
        model = model.to(args.device).to(memory_format=layout)
        trainer = Trainer(model, args.imgsz, args.freeze)
        targets = plausible_targets(args.batch, model.detect.nc)

        def step():
            return trainer.step(pixels, targets).item()

    else:
        model = model.fuse().requires_grad_(False).to(args.device).to(memory_format=layout)

        def step():
            with torch.inference_mode():
                rows = model.predict(pixels.to(args.device).float() / 255).cpu()
            return rows.numpy()

    check = step()
    check = check if args.mode == "train" else float(check.mean(dtype="float64"))
    for _ in range(args.warmup - 1):
        step()
    times = []
    for _ in range(args.steps):
        started = time.perf_counter()
        step()
        times.append((time.perf_counter() - started) * 1e3)
    median = statistics.median(times)
    print(
        json.dumps(
            {
                "program": f"PyTorch {torch.__version__}",
                "device": torch.cuda.get_device_name() if on_gpu else "cpu",
                "task": args.mode,
                "architecture": f"yolov5{args.size}",
                "classes": model.detect.nc,
                "imgsz": args.imgsz,
                "batch_size": args.batch,
                "freeze": str(args.freeze),
                "warmup": args.warmup,
                "steps": args.steps,
                "step_ms": {"median": median, "min": min(times), "max": max(times)},
                "pictures_per_s": args.batch * 1e3 / median,
                "memory_growth_mib": memory.mib(),
                "device_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None,
                "check": check,
            }
        )
    )


if __name__ == "__main__":
    main()
