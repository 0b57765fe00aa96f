"""What tomotopy does in the benchmark of Lda, called by it and not by hand:

version                      prints the version
choose                       keeps the words of train.all and test.all that are in 5 training documents or more, in half of
                             them at most, and no stop words; writes train.txt and test.txt, prints the words of the first
train LINES OUT SETTINGS     trains on lines of words; writes word probabilities to OUT.npz, prints the seconds of the training
perplexity MODEL LINES       of every second word of the first 2,000 documents with a model of either program
"""
import collections
import json
import sys
import time

import numpy as np

ROUNDS = 50


def lines(path):
    with open(path, encoding="utf8") as file:
        return [line.split() for line in file]


def choose():
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    train = lines("train.all")
    found = collections.Counter(word for document in train for word in set(document))
    kept = {w for w, n in found.items() if 5 <= n <= len(train) / 2 and w not in ENGLISH_STOP_WORDS}
    for part in ["train", "test"]:
        documents = [[word for word in document if word in kept] for document in lines(part + ".all")]
        with open(part + ".txt", "w", encoding="utf8") as file:
            file.writelines(" ".join(document) + "\n" for document in documents)
        if part == "train":
            print(sum(map(len, documents)))


def train(path, out, settings):
    import tomotopy

    s = json.loads(settings)
    model = tomotopy.LDAModel(k=s["topics"], alpha=s["alpha"], eta=s["beta"], seed=s["seed"])
    model.optim_interval = 0
    for words in lines(path):
        if words:
            model.add_doc(words)
    model.train(0)
    wall, cpu = time.perf_counter(), time.process_time()
    model.train(s["iterations"], workers=1, show_progress=False)
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
    phi = np.array([model.get_topic_word_dist(topic) for topic in range(s["topics"])], dtype=np.float32)
    np.savez(out + ".npz", words=list(model.used_vocabs), phi=phi.T, alpha=model.alpha)


def opened(path):
    """Words, their probabilities in each topic [words, topics], and alpha."""
    if path.endswith(".npz"):
        file = np.load(path)
        return list(file["words"]), file["phi"], file["alpha"]
    types = {"F32": "<f4", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    about = json.loads(header.pop("__metadata__")["inlay"])
    tensor = {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]])
        for name, entry in header.items()
    }
    ends, text = tensor["vocabulary.offsets"], tensor["vocabulary.bytes"].tobytes()
    words = [text[a:b].decode() for a, b in zip(ends, ends[1:])]
    alpha, beta = np.array(about["priors"]["alpha"]), about["priors"]["beta"]
    counts = np.zeros((len(words), len(alpha)))
    rows = np.repeat(np.arange(len(words)), np.diff(tensor["word_starts"].astype(int)))
    counts[rows, tensor["word_topics"]] = tensor["word_counts"]
    return words, (counts + beta) / (counts.sum(0) + beta * len(words)), alpha


def perplexity(path, text):
    words, phi, alpha = opened(path)
    phi, numbers = phi.astype(np.float32), {word: i for i, word in enumerate(words)}
    loss, scored = 0.0, 0
    for document in lines(text)[:2000]:
        ids = [numbers[word] for word in document if word in numbers]
        if len(ids) < 2:
            continue
        own = phi[ids[::2]]
        theta = np.full(len(alpha), 1 / len(alpha), dtype=np.float32)
        for _ in range(ROUNDS):
            theta = alpha + theta * ((1 / (own @ theta)) @ own)
            theta = (theta / theta.sum()).astype(np.float32)
        loss -= np.log(phi[ids[1::2]] @ theta).sum(dtype=np.float64)
        scored += len(ids[1::2])
    print(np.exp(loss / scored))


def version():
    import tomotopy

    print(tomotopy.__version__)


if __name__ == "__main__":
    {"choose": choose, "train": train, "perplexity": perplexity, "version": version}[sys.argv[1]](*sys.argv[2:])
