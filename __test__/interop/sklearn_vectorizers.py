"""What scikit-learn makes of texts: reads JSON [{texts, kind, options}] and writes, for each, the columns and rows.

sklearn_vectorizers.py < CASES > RESULTS
"""
import json
import sys

from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

kinds = {"counts": CountVectorizer, "tfidf": TfidfVectorizer, "hashing": HashingVectorizer}
results = []
for case in json.load(sys.stdin):
    options = dict(case["options"])
    if "ngram_range" in options:
        options["ngram_range"] = tuple(options["ngram_range"])
    vectorizer = kinds[case["kind"]](**options)
    matrix = vectorizer.fit_transform(case["texts"]).tocsr()
    matrix.sort_indices()
    terms = [] if case["kind"] == "hashing" else vectorizer.get_feature_names_out().tolist()
    rows = [
        [matrix.indices[a:b].tolist(), matrix.data[a:b].tolist()]
        for a, b in zip(matrix.indptr[:-1], matrix.indptr[1:])
    ]
    results.append({"terms": terms, "columns": matrix.shape[1], "rows": rows})
json.dump(results, sys.stdout)
