"""Reads vectors with gensim and writes them back in its own ways: `gensim_round_trip.py IN IN_FORMAT FOLDER`.

Prints what it read as JSON: {word: [values]}. Words that are no UTF-8 are shown with U+FFFD.
"""
import json
import os
import sys

from gensim.models import KeyedVectors

path, form, folder = sys.argv[1:]
vectors = KeyedVectors.load_word2vec_format(path, binary=form == "binary", unicode_errors="replace")
vectors.save_word2vec_format(os.path.join(folder, "gensim.txt"))
vectors.save_word2vec_format(os.path.join(folder, "gensim.bin"), binary=True)
print(json.dumps({word: vectors[word].tolist() for word in vectors.index_to_key}))
