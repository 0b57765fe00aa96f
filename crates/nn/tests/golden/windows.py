"""A recurrent language model that learns in windows, its state detached between them, as PyTorch makes
it: writes windows.json. Made with PyTorch 2.15.0."""

import json
import pathlib

import torch
from torch import nn

WORDS, UNITS, LANES, LENGTH, WINDOW, EPOCHS = 7, 5, 3, 11, 4, 2


def flat(tensor):
    return [float(value) for value in tensor.detach().flatten()]


def run(cell):
    torch.manual_seed(1)
    embedding = nn.Embedding(WORDS, 4)
    recurrent = getattr(nn, cell.upper())(4, UNITS, num_layers=2, batch_first=True)
    scores = nn.Linear(UNITS, WORDS)
    modules = {"words": embedding, "states": recurrent, "scores": scores}
    names = [(f"{name}.{own}", p) for name, m in modules.items() for own, p in m.named_parameters()]
    parameters = [p for _, p in names]
    before = {name: flat(p) for name, p in names}
    stepper = torch.optim.SGD(parameters, lr=2.0)
    torch.manual_seed(2)
    ids = torch.randint(WORDS, (LANES, LENGTH + 1))
    losses = []
    for _ in range(EPOCHS):
        state, total, count = None, 0.0, 0
        for begin in range(0, LENGTH, WINDOW):
            end = min(begin + WINDOW, LENGTH)
            x, y = ids[:, begin:end], ids[:, begin + 1 : end + 1]
            stepper.zero_grad()
            hidden, state = recurrent(embedding(x), state)
            state = tuple(s.detach() for s in state) if cell == "lstm" else state.detach()
            loss = nn.functional.cross_entropy(scores(hidden).reshape(-1, WORDS), y.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 0.25)
            stepper.step()
            total, count = total + float(loss) * y.numel(), count + y.numel()
        losses.append(total / count)
    after = {name: flat(p) for name, p in names}
    return {"cell": cell, "ids": ids.flatten().tolist(), "before": before, "losses": losses, "after": after}


shape = {"words": WORDS, "units": UNITS, "lanes": LANES, "length": LENGTH, "window": WINDOW}
golden = {**shape, "runs": [run("lstm"), run("gru")]}
path = pathlib.Path(__file__).with_name("windows.json")
path.write_text(json.dumps(golden) + "\n")
