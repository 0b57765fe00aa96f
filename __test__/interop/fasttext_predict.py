"""What fastText says of texts by a model: fasttext_predict.py MODEL TEXTS, a JSON array of them."""

import json
import sys

import fasttext

model = fasttext.load_model(sys.argv[1])
labels, probabilities = model.predict(json.loads(sys.argv[2]), k=3)
print(json.dumps([[list(l), [float(p) for p in ps]] for l, ps in zip(labels, probabilities)]))
