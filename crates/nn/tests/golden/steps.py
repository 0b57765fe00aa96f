"""Ten steps of each optimizer as PyTorch makes them: writes steps.json. Made with PyTorch 2.15.0."""

import json
import pathlib

import torch
from torch import nn

torch.set_default_dtype(torch.float32)


def model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


torch.manual_seed(2)
inputs = torch.randn(6, 3)
classes = torch.tensor([0, 1, 1, 0, 1, 0])
optimizers = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "adamw": lambda p: torch.optim.AdamW(decaying(p), lr=0.05),
    "decayed": lambda p: torch.optim.Adam(decaying(p), lr=0.05),
}


def decaying(parameters):
    """Weight decay spares biases, as it should."""
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]


losses = {
    "plain": nn.CrossEntropyLoss(),
    "weighted": nn.CrossEntropyLoss(weight=torch.tensor([0.25, 2.0])),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "both": nn.CrossEntropyLoss(weight=torch.tensor([0.25, 2.0]), label_smoothing=0.1),
}


def flat(tensor):
    return [float(value) for value in tensor.detach().flatten()]


def run(optimizer, loss, clip=None):
    network = model()
    stepper = optimizers[optimizer](network.parameters())
    seen = []
    for _ in range(10):
        stepper.zero_grad()
        value = losses[loss](network(inputs), classes)
        value.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        stepper.step()
        seen.append(float(value.detach()))
    return {
        "optimizer": optimizer,
        "loss": loss,
        "clip": clip,
        "losses": seen,
        "after": {name: flat(value) for name, value in network.state_dict().items()},
    }


result = {
    "inputs": flat(inputs),
    "classes": classes.tolist(),
    "before": {name: flat(value) for name, value in model().state_dict().items()},
    "runs": [run(optimizer, "plain") for optimizer in optimizers]
    + [run("sgd", "weighted"), run("adam", "smoothed"), run("sgd", "both"), run("momentum", "plain", 0.05)],
}
path = pathlib.Path(__file__).with_name("steps.json")
path.write_text(json.dumps(result) + "\n")
