"""Makes the files of this folder. Run with Python 3 and gensim 4.4.0 (numpy 2): python make.py"""

import numpy as np
from gensim.models import KeyedVectors

vectors = KeyedVectors(vector_size=5)
words = ["king", "queen", "caf\u00e9", "__proto__", "\u6587\u5b57"]
vectors.add_vectors(words, np.random.default_rng(1).standard_normal((5, 5)).astype(np.float32))
vectors.save_word2vec_format("gensim.txt")
vectors.save_word2vec_format("gensim.bin", binary=True)
with open("expected.txt", "w", encoding="utf-8") as file:
    for a in words:
        for b in words:
            file.write(f"similarity {a} {b} {vectors.similarity(a, b):.8f}\n")
            if a != b:
                file.write(f"rank {a} {b} {vectors.rank(a, b)}\n")
