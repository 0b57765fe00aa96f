"""What transformers (5.24, PyTorch 2.15) gives for `modernbert` with rotary positions that are stretched to longer texts:
`stretched.json`.

    python stretched.py
"""

import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, ModernBertConfig, ModernBertModel

HERE = Path(__file__).parent

TEXTS = ["The quick brown fox.", "the quick brown fox jumps over the lazy dog and numbers " * 8]

FULL = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 50},
    "yarn with options": {
        "rope_type": "yarn",
        "factor": 8.0,
        "original_max_position_embeddings": 25,
        "beta_fast": 4.0,
        "beta_slow": 0.5,
        "mscale": 0.7,
        "mscale_all_dim": 1.3,
    },
    "yarn by attention_factor": {
        "rope_type": "yarn",
        "factor": 2.0,
        "original_max_position_embeddings": 100,
        "attention_factor": 1.4,
    },
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
}


def numbers(tensor):
    return [float(f"{value:.7g}") for value in tensor.flatten().tolist()]


found = []
tokenizer = AutoTokenizer.from_pretrained(HERE / "modernbert")
for name, full in FULL.items():
    sliding = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    parameters = {"full_attention": {**full, "rope_theta": 160000.0}, "sliding_attention": sliding}
    config = ModernBertConfig.from_pretrained(HERE / "modernbert", rope_parameters=parameters)
    model = ModernBertModel.from_pretrained(HERE / "modernbert", config=config, attn_implementation="eager").eval()
    vectors = []
    for text in TEXTS:
        with torch.inference_mode():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        vectors.append(numbers(mean / mean.norm()))
    found.append({"name": name, "parameters": parameters, "vectors": vectors})
(HERE / "stretched.json").write_text(json.dumps({"texts": TEXTS, "models": found}) + "\n")
