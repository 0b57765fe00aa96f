"""What transformers (5.23, PyTorch 2.15) gives for the small random models of these folders: `expected.json` in each, and in
`training.json` what becomes of them in a step of training, without dropout.

    python make.py
"""

import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoModel, AutoTokenizer, ModernBertConfig, ModernBertModel, MPNetConfig, MPNetModel

HERE = Path(__file__).parent

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Embeddings turn pictures, sounds and films into numbers!",
    "",
    "这是一个测试 unbelievable untouchable things and a longer sentence, doesn't it?",
]


# For models with room for it: further apart than the last bucket of distances.
LONG = "the quick brown fox jumps over the lazy dog and numbers " * 8

PAIRS = [
    {"text": "a fox jumps", "positive": "the quick fox", "negative": "numbers", "score": 0.8},
    {"text": "pictures and films", "positive": "sounds", "negative": "a lazy dog", "score": -0.25},
    {"text": "untouchable things", "positive": "a test", "negative": "brown", "score": 0.1},
]


def contrastive(a, p, n, scores):
    return F.cross_entropy(F.normalize(a) @ F.normalize(p).T / 0.05, torch.arange(len(a)))


def hard_negatives(a, p, n, scores):
    return F.cross_entropy(F.normalize(a) @ F.normalize(torch.cat([p, n])).T / 0.05, torch.arange(len(a)))


def triplet(a, p, n, scores):
    return F.triplet_margin_loss(a, p, n, margin=1.0)


def cosine_similarity(a, p, n, scores):
    return F.mse_loss(F.cosine_similarity(a, p), torch.tensor(scores))


LOSSES = {"contrastive": contrastive, "hardNegatives": hard_negatives, "triplet": triplet, "cosineSimilarity": cosine_similarity}


def numbers(tensor):
    return [float(f"{value:.7g}") for value in tensor.flatten().tolist()]


def random_models():
    """Those whose weights are made here; they have the tokenizer of `roberta`."""
    size = {"vocab_size": 420, "hidden_size": 32, "num_attention_heads": 2, "initializer_range": 0.2}
    mpnet = MPNetConfig(**size, num_hidden_layers=2, intermediate_size=48, max_position_embeddings=202)
    modern = ModernBertConfig(
        **size,
        num_hidden_layers=5,
        intermediate_size=40,
        local_attention=8,
        max_position_embeddings=200,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        cls_token_id=0,
        sep_token_id=2,
    )
    for name, model in [("mpnet", lambda: MPNetModel(mpnet)), ("modernbert", lambda: ModernBertModel(modern))]:
        if not (HERE / name).exists():
            torch.manual_seed(7)
            made = model()
            for value in made.parameters():
                torch.nn.init.normal_(value, std=0.2)
            made.save_pretrained(HERE / name)
            shutil.copy(HERE / "roberta" / "tokenizer.json", HERE / name)
            about = json.loads((HERE / "roberta" / "tokenizer_config.json").read_text())
            about["model_max_length"] = 200
            (HERE / name / "tokenizer_config.json").write_text(json.dumps(about, indent=2) + "\n")


def step(folder, tokenizer, loss):
    """Plain gradient descent by 0.1 times a gradient of length 1 at most: the loss, and the first values of each tensor."""
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    for name, value in model.named_parameters():
        # Not learnt here.
        value.requires_grad_("relative_attention_bias" not in name)

    def means(column):
        texts = [tokenizer(pair[column], return_tensors="pt") for pair in PAIRS]
        return torch.stack([model(**text).last_hidden_state[0].mean(0) for text in texts])

    found = loss(means("text"), means("positive"), means("negative"), [pair["score"] for pair in PAIRS])
    found.backward()
    # What the vectors do not depend on has no gradient.
    learnt = {name: value for name, value in model.named_parameters() if value.grad is not None}
    torch.nn.utils.clip_grad_norm_(list(learnt.values()), 1.0)
    torch.optim.SGD(list(learnt.values()), lr=0.1).step()
    # Of tables the rows in the middle: the first ones are of tokens that do not occur.
    tensors = {name: numbers(value.detach().flatten()[: value.numel() // 2][-8:]) for name, value in learnt.items()}
    return {"loss": float(found.detach()), "tensors": tensors}


random_models()
for folder in sorted(path for path in HERE.iterdir() if path.is_dir()):
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = TEXTS + ([LONG] if model.config.max_position_embeddings > 150 else [])
    found = {"texts": texts, "ids": [], "vectors": [], "hidden": []}
    for text in texts:
        tokens = tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**tokens, output_hidden_states=True).hidden_states
        mean = hidden[-1][0].mean(0)
        found["ids"].append(tokens["input_ids"][0].tolist())
        found["vectors"].append(numbers(mean / mean.norm()))
        found["hidden"].append([numbers(layer[0]) for layer in hidden] if text == TEXTS[0] else [])
    (folder / "expected.json").write_text(json.dumps(found, ensure_ascii=False) + "\n")
    steps = {name: step(folder, tokenizer, loss) for name, loss in LOSSES.items()}
    (folder / "training.json").write_text(json.dumps({"pairs": PAIRS, "steps": steps}) + "\n")
