"""The convolutional autoencoder of `pictures.ts` in PyTorch: FOLDER EPOCHS THREADS."""
import gzip
import json
import sys
import time

import numpy as np
import torch
from torch import nn

folder, epochs, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(1)


def pictures(part):
    with gzip.open(f"{folder}/{part}-images-idx3-ubyte.gz") as file:
        values = np.frombuffer(file.read(), np.uint8, offset=16)
    return torch.from_numpy(values.reshape(-1, 1, 28, 28).copy()).float() / 255


train, test = pictures("train"), pictures("t10k")
network = nn.Sequential(
    nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(),
    nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
    nn.Flatten(), nn.Linear(7 * 7 * 64, 32),
    nn.Linear(32, 7 * 7 * 64), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
    nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(),
    nn.ConvTranspose2d(32, 1, 3, 2, 1, 1), nn.Sigmoid(),
)
optimizer = torch.optim.Adam(network.parameters(), 1e-3)
begin = time.process_time()
for _ in range(epochs):
    for items in torch.randperm(len(train)).split(128):
        batch = train[items]
        optimizer.zero_grad()
        loss = (network(batch) - batch).square().mean()
        loss.backward()
        optimizer.step()
cpu = time.process_time() - begin
with torch.no_grad():
    error = sum((network(part) - part).square().sum().item() for part in test.split(1000))
print(json.dumps({"error": error / test.numel(), "cpu": cpu}))
