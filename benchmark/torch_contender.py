"""What PyTorch does in the benchmark of networks, called by it and not by hand: NAME STEPS BATCH THREADS.
Prints the seconds of the steps and the last loss as JSON."""
import json
import sys
import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

VOCABULARY = 10000
WARM = 3
torch.set_num_threads(int(sys.argv[4]))
torch.manual_seed(1)


class Last(nn.Module):
    """The last state of a recurrent layer; of packed sequences where lengths are given."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell(128, 256, batch_first=True)
        self.out = nn.Linear(256, 10)

    def forward(self, x, lengths=None):
        if lengths is None:
            return self.out(self.cell(x)[0][:, -1])
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.out(self.cell(packed)[1][0][-1])


class TextCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, 300)
        self.filters = nn.ModuleList(nn.Conv1d(300, 100, k) for k in (3, 4, 5))
        self.out = nn.Linear(300, 2)

    def forward(self, x, _lengths):
        x = self.words(x).transpose(1, 2)
        return self.out(torch.cat([torch.relu(f(x)).amax(2) for f in self.filters], 1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(128, 10)

    def forward(self, x, lengths=None):
        if lengths is None:
            return self.out(self.encoder(x).mean(1))
        padding = torch.arange(x.shape[1])[None] >= lengths[:, None]
        x = self.encoder(x, src_key_padding_mask=padding)
        return self.out((x * ~padding[:, :, None]).sum(1) / lengths[:, None])


def nnlm():
    embed = nn.Sequential(nn.Embedding(VOCABULARY, 100), nn.Flatten())
    return nn.Sequential(embed, nn.Linear(400, 200), nn.Tanh(), nn.Linear(200, VOCABULARY))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def cnn_normed():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Flatten(), nn.Linear(12544, 10),
    )  # fmt: skip


def encoder():
    return nn.Sequential(nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 128))


def info_nce(found, _):
    """Each of the first half finds its own in the second one, by cosines."""
    anchors, positives = nn.functional.normalize(found).chunk(2)
    return nn.functional.cross_entropy(anchors @ positives.T / 0.05, torch.arange(len(anchors)))


def autoencoder():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 2, 2), nn.ReLU(), nn.ConvTranspose2d(16, 1, 2, 2), nn.Sigmoid(),
    )  # fmt: skip


class Block3d(nn.Module):
    """A convolution that looks back only, beside what goes round it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(128, 128, 3, padding=(0, 1, 1))
        self.out = nn.Conv3d(128, 128, 1)

    def forward(self, x):
        seen = nn.functional.pad(x, (0, 0, 0, 0, 2, 0))
        return x + self.out(nn.functional.silu(self.conv(seen)))


class Beside(nn.Module):
    def __init__(self, width, units):
        super().__init__()
        self.linear = nn.Conv3d(width, units, 1)
        ends = nn.Conv3d(width, 128, 1), nn.Conv3d(128, units, 1)
        self.beyond = nn.Sequential(ends[0], Block3d(), Block3d(), ends[1])

    def forward(self, x):
        return self.linear(x) + self.beyond(x)


class Video(nn.Module):
    """Groups of 4 x 8 x 8 pixels to 16 values, and back."""

    def __init__(self):
        super().__init__()
        self.there, self.back = Beside(768, 16), Beside(16, 768)

    def forward(self, x):
        b, c, t, h, w = x.shape
        x = x.view(b, c, t // 4, 4, h // 8, 8, w // 8, 8).permute(0, 1, 3, 5, 7, 2, 4, 6)
        x = self.back(self.there(x.reshape(b, 256 * c, t // 4, h // 8, w // 8)))
        x = x.view(b, c, 4, 8, 8, t // 4, h // 8, w // 8).permute(0, 1, 5, 2, 6, 3, 7, 4)
        return x.reshape(b, c, t, h, w)


def mixed(step, batch, *width, ids=False):
    lengths = torch.tensor([5 + (step * batch + i) * 37 % 56 for i in range(batch)])
    shape = (batch, int(lengths.max()), *width)
    return torch.randint(VOCABULARY, shape) if ids else torch.rand(shape) - 0.5, lengths


# What makes the module; what goes in; classes, or none where the input is wanted.
CASES = {
    "nnlm": (nnlm, lambda s, b: (torch.randint(VOCABULARY, (b, 4)),), VOCABULARY),
    "lstm": (lambda: Last(nn.LSTM), lambda s, b: (torch.rand(b, 32, 128) - 0.5,), 10),
    "gru": (lambda: Last(nn.GRU), lambda s, b: (torch.rand(b, 32, 128) - 0.5,), 10),
    "lstm-mixed": (lambda: Last(nn.LSTM), lambda s, b: mixed(s, b, 128), 10),
    "text-cnn": (TextCnn, lambda s, b: mixed(s, b, ids=True), 2),
    "transformer": (Transformer, lambda s, b: (torch.rand(b, 64, 128) - 0.5,), 10),
    "transformer-mixed": (Transformer, lambda s, b: mixed(s, b, 128), 10),
    "cnn": (cnn, lambda s, b: (torch.rand(b, 1, 28, 28) - 0.5,), 10),
    "cnn-normed": (cnn_normed, lambda s, b: (torch.rand(b, 1, 28, 28) - 0.5,), 10),
    "contrastive": (encoder, lambda s, b: (torch.rand(2 * b, 128) - 0.5,), None),
    "autoencoder": (autoencoder, lambda s, b: (torch.rand(b, 1, 28, 28) - 0.5,), None),
    "video": (Video, lambda s, b: (torch.rand(b, 3, 20, 64, 64) - 0.5,), None),
}


def main():
    name, steps, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    make, given, classes = CASES[name]
    module = make()
    images = name in ("cnn", "cnn-normed", "autoencoder")
    measure = nn.functional.cross_entropy if classes else nn.functional.mse_loss
    measure = info_nce if name == "contrastive" else measure
    if images:
        module = module.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(module.parameters())
    wall = cpu = 0.0
    for step in range(WARM + steps):
        inputs = given(step, batch)
        if images:
            inputs = tuple(x.to(memory_format=torch.channels_last) for x in inputs)
        wanted = inputs[0] if classes is None else torch.randint(classes, (batch,))
        began = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        loss = measure(module(*inputs), wanted)
        loss.backward()
        optimizer.step()
        if step >= WARM:
            wall += time.perf_counter() - began[0]
            cpu += time.process_time() - began[1]
    print(json.dumps({"wall": wall, "cpu": cpu, "loss": float(loss.detach())}))


main()
