"""What gensim and NumPy do in the benchmark of sentences, called by it and not by hand:

phrases TEXT OUT CONNECTORS    finds phrases and saves them; prints how many
mean VECTORS TEXT OUT          the plain mean of the word vectors of each line, as .npy; prints the seconds of that alone
"""
import json
import sys
import time


def phrases(text, out, connectors):
    from gensim.models.phrases import Phrases
    from gensim.models.word2vec import LineSentence

    model = Phrases(LineSentence(text), connector_words=frozenset(connectors.split(",")))
    frozen = model.freeze()
    frozen.save(out)
    print(len(frozen.phrasegrams))


def mean(path, text, out):
    import numpy
    from gensim.models import KeyedVectors

    vectors = KeyedVectors.load_word2vec_format(path, binary=True)
    with open(text, encoding="utf8") as file:
        lines = file.read().split("\n")
    began, cpu = time.perf_counter(), time.process_time()
    index, matrix = vectors.key_to_index, vectors.vectors
    rows = numpy.zeros((len(lines), matrix.shape[1]), dtype=numpy.float32)
    for i, line in enumerate(lines):
        known = [index[word] for word in line.split() if word in index]
        if known:
            rows[i] = matrix[known].mean(axis=0)
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}))
    numpy.save(out, rows)


{"phrases": phrases, "mean": mean}[sys.argv[1]](*sys.argv[2:])
