"""Networks whose items meet (batch norm, losses over pairs), three steps each, as PyTorch makes them: writes
meeting.json. Made with PyTorch 2.15.0."""

import json
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float32)


def flat(tensor):
    return [float(value) for value in tensor.detach().flatten()]


def state(module):
    return {name: flat(value) for name, value in module.state_dict().items()}


def last(tensor):
    """Channels last, as they are here."""
    return tensor.permute(0, *range(2, tensor.dim()), 1) if tensor.dim() > 2 else tensor


def steps(module, loss):
    """Three steps of SGD, and what is learnt and kept after them."""
    before = state(module)
    stepper = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    losses = []
    module.train()
    for _ in range(3):
        stepper.zero_grad()
        value = loss(module)
        value.backward()
        stepper.step()
        losses.append(float(value.detach()))
    return {"before": before, "after": state(module), "losses": losses}


def normed(module, inputs):
    torch.manual_seed(7)
    targets = last(torch.randn_like(module(inputs)))
    result = steps(module, lambda module: F.mse_loss(last(module(inputs)), targets))
    module.eval()
    result |= {"inputs": flat(last(inputs)), "targets": flat(targets)}
    return result | {"outputs": flat(last(module(inputs)))}


torch.manual_seed(1)
pictures = nn.Sequential(
    nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 2), nn.BatchNorm2d(3)
)
result = {"pictures": normed(pictures, torch.randn(5, 2, 6, 5))}
torch.manual_seed(2)
vectors = nn.Sequential(
    nn.Linear(3, 6), nn.BatchNorm1d(6, eps=0.01, momentum=0.3), nn.Tanh(), nn.BatchNorm1d(6, affine=False),
    nn.Linear(6, 2),
)
result["vectors"] = normed(vectors, torch.randn(7, 3))


def contrastive(temperature, symmetric):
    def loss(anchors, positives, negatives=None):
        candidates = positives if negatives is None else torch.cat([positives, negatives])
        cosines = F.normalize(anchors) @ F.normalize(candidates).T
        wanted = torch.arange(len(anchors))
        there = F.cross_entropy(cosines / temperature, wanted)
        back = F.cross_entropy(cosines[:, : len(anchors)].T / temperature, wanted)
        return (there + back) / 2 if symmetric else there

    return loss


cosine = nn.TripletMarginWithDistanceLoss(
    distance_function=lambda x, y: 1 - F.cosine_similarity(x, y), margin=0.5
)
losses = {
    "plain": (contrastive(0.1, False), 2),
    "symmetric": (contrastive(0.2, True), 2),
    "hard": (contrastive(0.1, False), 3),
    "both": (contrastive(0.1, True), 3),
    "euclidean": (nn.TripletMarginLoss(margin=1.0), 3),
    "cosine": (cosine, 3),
}
torch.manual_seed(3)
items = [torch.randn(6, 3) for _ in range(3)]
result["items"] = [flat(part) for part in items]
result["pairs"] = {}
for name, (loss, parts) in losses.items():
    torch.manual_seed(4)
    module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))
    result["pairs"][name] = steps(module, lambda module: loss(*(module(part) for part in items[:parts])))

pathlib.Path(__file__).with_name("meeting.json").write_text(json.dumps(result) + "\n")
