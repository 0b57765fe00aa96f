"""A model of the shape of lid.176.ftz, and what fastText says by it: fasttext_languages.py LINES MODEL TEXTS, a JSON array of them.

0.9.3 stops with "Encountered NaN" now and then where it has one thread: such a run is made again.
"""

import json
import sys

import fasttext

lines, path, texts = sys.argv[1:]
for _ in range(20):
    try:
        model = fasttext.train_supervised(
            lines, loss="hs", dim=16, minn=2, maxn=4, bucket=200000, epoch=5, lr=0.5, thread=1, verbose=0
        )
        break
    except RuntimeError:
        continue
model.quantize(input=lines, cutoff=8000, qnorm=True, retrain=True, thread=1, verbose=0)
model.save_model(path)
labels, probabilities = fasttext.load_model(path).predict(json.loads(texts), k=3)
print(json.dumps([[list(l), [float(p) for p in ps]] for l, ps in zip(labels, probabilities)]))
