"""What gensim and scikit-learn do in the benchmark of Doc2Vec, called by it and not by hand:

train LINES OUT SETTINGS          trains on lines of words; writes the documents' vectors to OUT.npy, the model to
                                  OUT.model, and prints the seconds of the training alone
infer MODEL LINES OUT EPOCHS      infers a vector for each line; prints the seconds
halves VECTORS                    per cent of documents 2i and 2i+1 whose nearest other is their other half
classify TRAIN LABELS TEST LABELS per cent of the test vectors that a linear classifier names rightly
"""
import json
import sys
import time

import numpy as np


def lines(path):
    with open(path, encoding="utf8") as file:
        return [line.split() for line in file]


def stopwatch(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def train(path, out, settings):
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument

    s = json.loads(settings)
    memory = s["architecture"] == "distributed-memory"
    documents = [TaggedDocument(words, [i]) for i, words in enumerate(lines(path))]
    model = Doc2Vec(
        vector_size=s["dimensions"], window=s["window"], min_count=s["minCount"], negative=s["negative"], dm=int(memory),
        dm_mean=1, workers=s["threads"], seed=s["seed"], epochs=s["epochs"], sample=s["subsample"],
    )
    model.build_vocab(documents)
    _, seconds = stopwatch(
        lambda: model.train(documents, total_examples=model.corpus_count, epochs=model.epochs)
    )
    np.save(out + ".npy", model.dv.vectors)
    model.save(out + ".model")
    print(json.dumps(seconds))


def infer(path, text, out, epochs):
    from gensim.models.doc2vec import Doc2Vec

    model, documents = Doc2Vec.load(path), lines(text)
    rows, seconds = stopwatch(lambda: [model.infer_vector(words, epochs=int(epochs)) for words in documents])
    np.save(out, np.array(rows))
    print(json.dumps(seconds))


def unit(path):
    rows = np.load(path).astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def halves(path):
    rows, right = unit(path), 0
    for start in range(0, len(rows), 1000):
        scores = rows[start : start + 1000] @ rows.T
        own = np.arange(start, start + len(scores))
        scores[np.arange(len(scores)), own] = -2
        right += int((scores.argmax(axis=1) == (own ^ 1)).sum())
    print(100 * right / len(rows))


def classify(train_vectors, train_labels, test_vectors, test_labels):
    from sklearn.linear_model import LogisticRegression

    read = lambda path: open(path, encoding="utf8").read().split("\n")[:-1]
    classifier = LogisticRegression(max_iter=1000).fit(unit(train_vectors), read(train_labels))
    print(100 * classifier.score(unit(test_vectors), read(test_labels)))


{"train": train, "infer": infer, "halves": halves, "classify": classify}[sys.argv[1]](*sys.argv[2:])
