"""Checks exported networks with onnx's own checker, and runs them in onnxruntime beside what Frostline computed.

    python onnx_files.py CASES.json

CASES.json is a list of cases; tests/cli/export.rs writes it, with every file as little-endian single precision:

    {"model": "best.onnx", "half": false, "opset": 17, "metadata": {"stride": "32", ...},
     "runs": [{"images": "a.f32", "shape": [1, 3, 64, 64], "expected": "b.f32", "columns": 85,
               "box_px": 1e-3, "score": 1e-5}]}
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime

failed = False


def check(what, passed):
    global failed
    failed |= not passed
    print(f"{'ok    ' if passed else 'FAILED'} {what}")


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def check_file(case):
    """The file by the rules of ONNX, and what it says about itself."""
    onnx.checker.check_model(case["model"], full_check=True)
    model = onnx.load(case["model"])
    found = {entry.key: entry.value for entry in model.metadata_props}
    check(f"metadata {found}", found == case["metadata"])
    check(f"opset {case['opset']}", [entry.version for entry in model.opset_import] == [case["opset"]])
    wanted = onnx.TensorProto.FLOAT16 if case["half"] else onnx.TensorProto.FLOAT
    ends = [*model.graph.input, *model.graph.output]
    check("type of input and output", all(end.type.tensor_type.elem_type == wanted for end in ends))
    weights = [tensor for tensor in model.graph.initializer if tensor.name.endswith(".weight")]
    check(f"type of {len(weights)} weights", all(tensor.data_type == wanted for tensor in weights))


def check_run(session, run, half):
    images = np.fromfile(run["images"], "<f4").reshape(run["shape"])
    (output,) = session.run(["output0"], {"images": images.astype("<f2") if half else images})
    found = output.astype("<f4")
    wanted = np.fromfile(run["expected"], "<f4").reshape(run["shape"][0], -1, run["columns"])
    if found.shape != wanted.shape:
        check(f"shape {found.shape}, expected {wanted.shape}", False)
        return
    difference = np.abs(found - wanted)
    boxes, scores = difference[..., :4].max(), difference[..., 4:].max()
    spread = wanted[..., 4:].std()
    check(
        f"{run['shape']}: boxes differ by {boxes:.1e} of {run['box_px']:.0e} px, "
        f"scores by {scores:.1e} of {run['score']:.0e} (they spread by {spread:.1e})",
        boxes <= run["box_px"] and scores <= run["score"] and spread > run["score"],
    )


for case in json.load(open(sys.argv[1])):
    print(case["model"])
    check_file(case)
    session = session_of(case["model"])
    for run in case["runs"]:
        check_run(session, run, case["half"])
sys.exit(failed)
