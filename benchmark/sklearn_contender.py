"""What scikit-learn does in the benchmark of counts, called by it and not by hand: the TF-IDF weights of the lines of TEXT.

sklearn_contender.py TEXT        prints the seconds of that alone, the shape, and the sum of all weights
"""
import json
import sys
import time

from sklearn.feature_extraction.text import TfidfVectorizer

with open(sys.argv[1], encoding="utf8") as file:
    documents = file.read().split("\n")[:-1]
began, cpu = time.perf_counter(), time.process_time()
matrix = TfidfVectorizer().fit_transform(documents)
print(json.dumps({
    "wall": time.perf_counter() - began, "cpu": time.process_time() - cpu,
    "rows": matrix.shape[0], "columns": matrix.shape[1], "sum": float(matrix.sum()),
}))
