"""What fastText does in the benchmarks, called by them and not by hand: trains on TEXT and writes vectors as text.

fasttext_contender.py TEXT OUT SETTINGS
"""
import json
import sys

import fasttext

text, out, settings = sys.argv[1:]
s = json.loads(settings)
model = fasttext.train_unsupervised(
    text, model={"skip-gram": "skipgram", "cbow": "cbow"}[s["architecture"]], dim=s["dimensions"], ws=s["window"],
    neg=s["negative"], t=s["subsample"], minCount=s["minCount"], epoch=s["epochs"], thread=s["threads"],
    verbose=0,
)
with open(out, "w", encoding="utf-8") as file:
    words = model.get_words()
    file.write(f"{len(words)} {model.get_dimension()}\n")
    for word in words:
        file.write(f"{word} {' '.join(f'{value:.6g}' for value in model.get_word_vector(word))}\n")
"""Trains fastText's classifier on a file and tells, as JSON, its seconds and its accuracy: fasttext_contender.py TRAIN TEST WORD_NGRAMS THREADS

0.9.3 leaves most of its first matrix as it finds the memory where it has one thread, and then stops with "Encountered NaN" now and
then: such a run is made again.
"""

import json
import sys
import time


train, test, ngrams, threads = sys.argv[1:]
for _ in range(20):
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        model = fasttext.train_supervised(
            train, thread=int(threads), verbose=0, loss="softmax", lr=0.5, epoch=25, dim=100, wordNgrams=int(ngrams), minn=0, maxn=0
        )
    except RuntimeError:
        continue
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"cpu": cpu, "wall": wall, "accuracy": model.test(test)[1]}))
    break
