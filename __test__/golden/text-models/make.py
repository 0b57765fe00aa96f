"""What transformers (5.23, PyTorch 2.15) gives for the small random models of these folders: `expected.json` in each.

    python make.py
"""

import json
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Embeddings turn pictures, sounds and films into numbers!",
    "",
    "这是一个测试 unbelievable untouchable things and a longer sentence, doesn't it?",
]


def numbers(tensor):
    return [float(f"{value:.7g}") for value in tensor.flatten().tolist()]


for folder in sorted(path for path in Path(__file__).parent.iterdir() if path.is_dir()):
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = {"texts": TEXTS, "ids": [], "vectors": [], "hidden": []}
    for text in TEXTS:
        tokens = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**tokens, output_hidden_states=True).hidden_states
        mean = hidden[-1][0].mean(0)
        found["ids"].append(tokens["input_ids"][0].tolist())
        found["vectors"].append(numbers(mean / mean.norm()))
        found["hidden"].append([numbers(layer[0]) for layer in hidden] if text == TEXTS[0] else [])
    (folder / "expected.json").write_text(json.dumps(found, ensure_ascii=False) + "\n")
