"""What gensim does in the benchmarks, called by them and not by hand:

train TEXT OUT SETTINGS     trains Word2Vec and writes word2vec's binary format; fails if it did not read the text
evaluate VECTORS ANALOGIES PAIRS...   scores a word2vec binary file, as JSON
search ROWS NAMES           answers searches: a JSON line on stdin, a JSON line on stdout
open VECTORS                seconds that reading a word2vec binary file takes
"""
import json
import sys
import time


def train(text, out, settings):
    from gensim.models import Word2Vec

    s = json.loads(settings)
    hierarchical = s["objective"] == "hierarchical-softmax"
    model = Word2Vec(
        vector_size=s["dimensions"], window=s["window"], min_count=s["minCount"], sample=s["subsample"],
        alpha=s["learningRate"], sg=int(s["architecture"] == "skip-gram"), hs=int(hierarchical),
        negative=0 if hierarchical else s["negative"], workers=s["threads"], seed=s["seed"],
    )
    model.build_vocab(corpus_file=text)
    wanted = s["epochs"] * model.corpus_total_words
    _, read = model.train(
        corpus_file=text, total_words=model.corpus_total_words, total_examples=model.corpus_count, epochs=s["epochs"]
    )
    if read < 0.99 * wanted:
        sys.exit(f"gensim read {read} of {wanted} words: its speed would be fiction")
    model.wv.save_word2vec_format(out, binary=True)
    print(model.corpus_total_words)


def evaluate(path, analogies, *pairs):
    from gensim.models import KeyedVectors

    vectors = KeyedVectors.load_word2vec_format(path, binary=True, unicode_errors="replace")
    accuracy, sections = vectors.evaluate_word_analogies(analogies, restrict_vocab=30000)
    total = sections[-1]
    print(json.dumps({
        "analogies": 100 * accuracy,
        "questions": len(total["correct"]) + len(total["incorrect"]),
        "pairs": [100 * float(vectors.evaluate_word_pairs(path)[1].statistic) for path in pairs],
    }))


def search(rows, names):
    import numpy
    from gensim.models import KeyedVectors

    matrix = numpy.load(rows)
    with open(names, encoding="utf-8") as lines:
        words = lines.read().split("\n")[: len(matrix)]
    vectors = KeyedVectors(matrix.shape[1])
    vectors.add_vectors(words, matrix)
    vectors.fill_norms()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        cpu = time.process_time()
        found = [vectors.most_similar(word, topn=10) for word in json.loads(line)]
        wall = time.perf_counter() - start
        print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu, "found": found}), flush=True)


def open_vectors(path):
    from gensim.models import KeyedVectors

    start = time.perf_counter()
    cpu = time.process_time()
    vectors = KeyedVectors.load_word2vec_format(path, binary=True)
    wall = time.perf_counter() - start
    print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu, "size": len(vectors)}))


if __name__ == "__main__":
    {"train": train, "evaluate": evaluate, "search": search, "open": open_vectors}[sys.argv[1]](*sys.argv[2:])
