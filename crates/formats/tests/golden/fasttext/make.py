"""Makes the files of this folder. Run with Python 3 and fasttext 0.9.3 (numpy 2): python make.py"""

import json
import random
import fasttext

rng = random.Random(1)
words = "red green blue ham sandwich café 文字 naïve cat mouse kitten rodent the of and".split()
kinds = {"colour": words[:3], "food": words[3:6], "script": words[6:8], "animal": words[8:12]}
lines = []
for _ in range(60):
    kind = rng.choice(list(kinds))
    text = rng.choices(kinds[kind], k=3) + rng.choices(words[12:], k=2)
    rng.shuffle(text)
    second = f" __label__{kind[0]}" if rng.random() < 0.3 else ""
    lines.append(f"__label__{kind}{second} {' '.join(text)}")
with open("text.txt", "w", encoding="utf-8") as file:
    file.write("\n".join(lines) + "\n")
with open("many.txt", "w", encoding="utf-8") as file:
    for label in range(257):
        file.write(f"__label__{label} w{label % 16} v{label // 16}\n")

# Each of ten threads fills a tenth of the first matrix: with fewer the rest is what the memory held.
shape = dict(dim=5, lr=0.5, epoch=20, thread=10, verbose=0, seed=1)
ngrams = dict(wordNgrams=2, minn=2, maxn=3, bucket=50)
train = fasttext.train_supervised
models = {
    "softmax.bin": train("text.txt", loss="softmax", **ngrams, **shape),
    "hierarchical.bin": train("text.txt", loss="hs", wordNgrams=2, bucket=40, **shape),
    "negative.bin": train("text.txt", loss="ns", neg=2, **shape),
    "one-vs-all.bin": train("text.txt", loss="ova", minn=1, maxn=4, bucket=30, **shape),
    "quantized.ftz": train("text.txt", loss="softmax", wordNgrams=3, bucket=260, **shape),
    "pruned.ftz": train("many.txt", loss="hs", wordNgrams=2, minn=2, maxn=4, bucket=400, **shape),
}
models["quantized.ftz"].quantize(dsub=2)
models["pruned.ftz"].quantize(cutoff=270, dsub=3, qnorm=True, qout=True)
texts = [
    "the red and blue",
    "ham sandwich unknown café",
    "文字 naïve mouse kitten rodent",
    "w3 v7",
    "w12 v2 w12",
    "cat  cat\tthe \v of",
    "unheard of",
]
expected = {}
for name, model in models.items():
    model.save_model(name)
    labels, probabilities = model.predict(texts, k=-1)
    expected[name] = {
        "texts": [
            {
                "text": text,
                "labels": list(label)[:6],
                "probabilities": [round(float(p), 8) for p in probability][:6],
                "vector": [round(float(value), 8) for value in model.get_sentence_vector(text)],
            }
            for text, label, probability in zip(texts, labels, probabilities)
        ],
        "subwords": {word: [int(id) for id in model.get_subwords(word)[1]] for word in words + ["unheard", "日本語"]}
        if model.f.getArgs().maxn and name != "pruned.ftz"
        else {},
    }
unsupervised = fasttext.train_unsupervised(
    "text.txt", model="skipgram", dim=4, minCount=1, minn=2, maxn=3, bucket=40, epoch=2, thread=10, verbose=0
)
unsupervised.save_model("skip-gram.bin")
expected["skip-gram.bin"] = {
    "vectors": {word: [round(float(v), 8) for v in unsupervised.get_word_vector(word)] for word in ["cat", "文字", "</s>", "unheard"]}
}
with open("expected.json", "w", encoding="utf-8") as file:
    json.dump(expected, file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
