"""Small static encoders with random rows, and what their libraries (model2vec 0.10, sentence-transformers 6.2) give for
texts: `expected.json` in each folder. `distilled.json`: what model2vec's distillation of `../text-models/bert` gives.

    python make.py
"""

import json
import shutil
from pathlib import Path

import numpy as np
from model2vec import StaticModel
from model2vec.distill import distill
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Embeddings turn pictures, sounds and films into numbers!",
    "",
    "这是一个测试 unbelievable untouchable things and a longer sentence, doesn't it?",
    "the fox " * 40,
    "[MASK] ✂✂✂ [UNK]",
]
HERE = Path(__file__).parent
RANDOM = np.random.default_rng(1)


def tokenizer_of(model):
    return Tokenizer.from_file(str(HERE.parent / "text-models" / model / "tokenizer.json"))


def rows(count, width=16):
    return RANDOM.normal(size=(count, width)).astype(np.float32)


def expect(folder, vectors):
    found = {"texts": TEXTS, "vectors": [[float(f"{x:.7g}") for x in row] for row in vectors.tolist()]}
    (folder / "expected.json").write_text(json.dumps(found, ensure_ascii=False) + "\n")


def model2vec(name, tokenizer, **options):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    StaticModel(tokenizer=tokenizer, **options).save_pretrained(folder)
    (folder / "README.md").unlink()
    expect(folder, StaticModel.from_pretrained(folder).encode(TEXTS))


bert, roberta = tokenizer_of("bert"), tokenizer_of("roberta")
size = bert.get_vocab_size()
model2vec("model2vec", bert, vectors=rows(size), normalize=True, max_length=48)
model2vec(
    "shared-rows",
    bert,
    vectors=np.clip(rows(12) * 40, -127, 127).astype(np.int8),
    weights=RANDOM.uniform(0.1, 2, size),
    token_mapping=RANDOM.integers(0, 12, size),
)
model2vec("bytes", roberta, vectors=rows(roberta.get_vocab_size()).astype(np.float16), max_length=None)

for name, modules, nested in [("nested", [Normalize()], True), ("plain", [], False)]:
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    static = StaticEmbedding(tokenizer_of("bert"), embedding_weights=rows(size))
    prompts = {"query": "the quick ", "document": ""}
    model = SentenceTransformer(modules=[static, *modules], device="cpu", prompts=prompts)
    model.save(str(folder), create_model_card=False)
    if nested:
        inner = folder / "0_StaticEmbedding"
        inner.mkdir(exist_ok=True)
        for file in ["model.safetensors", "tokenizer.json"]:
            if (folder / file).exists():
                (folder / file).rename(inner / file)
        listed = json.loads((folder / "modules.json").read_text())
        listed[0]["path"] = "0_StaticEmbedding"
        (folder / "modules.json").write_text(json.dumps(listed, indent=2))
    expect(folder, SentenceTransformer(str(folder), device="cpu").encode(TEXTS))

teacher = str(HERE.parent / "text-models" / "bert")
student = distill(teacher, pca_dims=8, quantize_to="float32", device="cpu")
vectors = student.encode(TEXTS)
cosines = (vectors @ vectors.T).tolist()
(HERE / "distilled.json").write_text(json.dumps({"texts": TEXTS, "cosines": cosines}, ensure_ascii=False) + "\n")
