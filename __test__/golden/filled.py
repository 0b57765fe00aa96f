"""Models of transformers whose weights are worked out, so that they need not be kept: where they are tested they are worked out the
same way, in `fixtures/vision-models.ts`."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file


def fill(shapes):
    """Numbers for tensors, in the order of their names: Park and Miller 1988."""
    drawn, found = 1, {}
    for name in sorted(shapes):
        values = []
        for _ in range(int(np.prod(shapes[name]))):
            drawn = drawn * 48271 % 2147483647
            values.append(drawn / 2147483648 - 0.5)
        values = np.array(values, dtype=np.float64)
        is_norm = "norm" in name or "ln" in name
        if name.endswith("running_mean"):
            values = values * 20 - 40
        elif name.endswith("running_var"):
            values = values * 200 + 400
        elif len(shapes[name]) > 1:
            values = values * (2 if "embed" in name or "token" in name else 0.6)
        elif is_norm and name.endswith("weight"):
            values = 1 + values * 0.5
        else:
            values = values * 0.5
        found[name] = torch.tensor(values.astype(np.float32)).reshape(shapes[name])
    return found


def saved(model):
    """The tensors of a model as its file has them, filled: into the model as well. Whole numbers stay."""
    folder = Path("/tmp") / f"inlay-{type(model).__name__}"
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items() if tensor.is_floating_point()}
    save_file(tensors | fill(shapes), folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    return type(model).from_pretrained(folder).eval(), shapes, config


def taps(tensor):
    """Of each item: how many numbers, their mean, and some of them."""
    rows = tensor.flatten(1)
    step = max(1, rows.shape[1] // 6)
    return {
        "length": rows.shape[1],
        "means": numbers(rows.mean(1)),
        "some": [numbers(row[::step][:6]) for row in rows],
    }


def numbers(tensor):
    return [float(f"{value:.7g}") for value in tensor.flatten().tolist()]
