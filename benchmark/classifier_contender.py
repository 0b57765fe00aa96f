"""Trains fastText's classifier on a file and tells, as JSON, its seconds and its accuracy: classifier_contender.py TRAIN TEST WORD_NGRAMS THREADS

0.9.3 leaves most of its first matrix as it finds the memory where it has one thread, and then stops with "Encountered NaN" now and
then: such a run is made again.
"""

import json
import sys
import time

import fasttext

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
