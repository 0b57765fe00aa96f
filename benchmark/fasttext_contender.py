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
