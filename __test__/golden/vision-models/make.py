"""What transformers (5.24, PyTorch 2.15) and torchvision (0.29) give for small models of pictures, and of pictures and texts:
`expected.json`, and `tokenizer.json`, a byte-pair encoding of CLIP's kind.

    python make.py

Weights are worked out the same way where they are tested: see `filled.py`.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torchvision import transforms
from torchvision.models.vision_transformer import VisionTransformer
from transformers import (
    CLIPConfig,
    CLIPModel,
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

from filled import fill, numbers, saved, taps  # noqa: E402
from pictures import PICTURES, TEXTS, processed  # noqa: E402

def hub(model, processor, head=None):
    model, shapes, config = saved(model)
    pixels, said = processed(processor)
    with torch.no_grad():
        out = model(pixels, output_hidden_states=True)
        base = getattr(model, model.base_model_prefix, model)
        last = base(pixels)
    hidden = out.hidden_states
    found = {"embeddings": taps(hidden[0])}
    for i in range(1, len(hidden)):
        found[f"layers.{i - 1}"] = taps(hidden[i])
    norm = last.last_hidden_state
    tokens = norm.shape[1] - (config["image_size"] // config["patch_size"]) ** 2
    found |= {
        "norm": taps(norm),
        "class": taps(norm[:, 0]),
        "patches": taps(norm[:, tokens:]),
        "mean": taps(norm[:, tokens:].mean(1)),
    }
    if getattr(last, "pooler_output", None) is not None:
        found["pooler"] = taps(last.pooler_output)
    if hasattr(out, "logits"):
        found["scores"] = taps(out.logits)
        found["probabilities"] = taps(out.logits.softmax(1))
    return {"config": config, "preprocessor": said, "shapes": shapes, "layers": found}


def torch_vision():
    model = VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=5, representation_size=16)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(fill(shapes))
    model.eval()
    found = {}

    def keep(name, part):
        part.register_forward_hook(lambda _, __, output: found.update({name: taps(output)}))

    keep("layers.0", model.encoder.layers[0])
    keep("layers.1", model.encoder.layers[1])
    keep("norm", model.encoder.ln)
    keep("pooler", model.heads.act)
    keep("scores", model.heads)
    pipeline = transforms.Compose(
        [
            transforms.Resize(36),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    with torch.no_grad():
        model(torch.stack([pipeline(one) for one in PICTURES]))
    return {"shapes": shapes, "layers": found}


def write_tokenizer():
    """Bytes, each by itself and at the end of a word, and a few pairs."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    letters = [chr(byte) for byte in kept] + [chr(256 + n) for n in range(len(others))]
    merges = [["c", "a"], ["ca", "t</w>"], ["o", "f</w>"], ["d", "o"], ["t", "h"], ["th", "e</w>"]]
    words = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    first, last = len(words) - 2, len(words) - 1
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": first, "content": "<|startoftext|>", **special},
            {"id": last, "content": "<|endoftext|>", **special},
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        },
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["<|endoftext|>", last],
            "cls": ["<|startoftext|>", first],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {word: n for n, word in enumerate(words)},
            "merges": merges,
        },
    }
    (HERE / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False) + "\n")
    return first, last


def clip(first, last, legacy):
    text = {
        "vocab_size": last + 1,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 24,
        "bos_token_id": first,
        "eos_token_id": 2 if legacy else last,
        "pad_token_id": 1,
    }
    vision = {
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 32,
        "patch_size": 8,
    }
    model, shapes, config = saved(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)))
    tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
    counts = [len(found.ids) for found in tokenizer.encode_batch(TEXTS)]
    tokenizer.enable_truncation(24)
    tokenizer.enable_padding(pad_id=last)
    found = tokenizer.encode_batch(TEXTS)
    ids = torch.tensor([one.ids for one in found])
    mask = torch.tensor([one.attention_mask for one in found])
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    pixels, said = processed(processor)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask, pixel_values=pixels)
        vision = model.vision_model(pixels, output_hidden_states=True)
    hidden = vision.hidden_states
    return {
        "config": config,
        "preprocessor": said,
        "shapes": shapes,
        # The tower of pictures is the same.
        "layers": {}
        if legacy
        else {
            "embeddings": taps(hidden[0]),
            "layers.0": taps(hidden[1]),
            "layers.1": taps(hidden[2]),
            "norm": taps(vision.pooler_output),
            "image": taps(out.image_embeds),
        },
        "texts": TEXTS,
        "counts": counts,
        "vectors": [numbers(row) for row in out.text_embeds],
        "probabilities": [numbers(row) for row in out.logits_per_image.softmax(1)],
        "logitScale": model.logit_scale.exp().item(),
    }


torch.manual_seed(1)
size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
classes = ["cat", "dog", "car", "tree", "house"]
named = {"id2label": dict(enumerate(classes)), "label2id": {name: n for n, name in enumerate(classes)}}
patches = {"image_size": 32, "patch_size": 8}
square = {"height": 32, "width": 32}
deit_pictures = DeiTImageProcessorPil(size={"height": 37, "width": 37}, crop_size=square)
first, last = write_tokenizer()
expected = {
    "vit": hub(ViTForImageClassification(ViTConfig(**size, **patches, **named)), ViTImageProcessorPil(size=square)),
    # A side that is no multiple of the patch.
    "vit-model": hub(
        ViTModel(ViTConfig(**size, image_size=30, patch_size=7, hidden_act="gelu_new")),
        ViTImageProcessorPil(size={"height": 30, "width": 30}, resample=3),
    ),
    "deit": hub(DeiTForImageClassification(DeiTConfig(**size, **patches, num_labels=3)), deit_pictures),
    "deit-teacher": hub(
        DeiTForImageClassificationWithTeacher(DeiTConfig(**size, **patches, num_labels=3)), deit_pictures
    ),
    "torchvision": torch_vision(),
    "clip": clip(first, last, False),
    "clip-first": clip(first, last, True),
}
(HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
