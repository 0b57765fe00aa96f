"""What transformers (5.24, PyTorch 2.15) gives for small DINOv2s: `dinov2.json`.

    python dinov2.py
"""

import json
import sys
from pathlib import Path

import torch
from transformers import Dinov2Config, Dinov2ForImageClassification, Dinov2Model
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

from filled import saved, taps  # noqa: E402
from pictures import processed  # noqa: E402


def dinov2(model, resize, crop):
    torch.manual_seed(1)
    model, shapes, config = saved(model)
    size = {"size": {"shortest_edge": resize}, "crop_size": {"height": crop, "width": crop}}
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    pixels, said = processed(BitImageProcessorPil(**size, resample=3, image_mean=mean, image_std=deviation))
    with torch.no_grad():
        out = model(pixels, output_hidden_states=True)
        last = getattr(model, model.base_model_prefix, model)(pixels).last_hidden_state
    found = {"embeddings": taps(out.hidden_states[0])}
    for i, hidden in enumerate(out.hidden_states[1:]):
        found[f"layers.{i}"] = taps(hidden)
    found |= {
        "norm": taps(last),
        "class": taps(last[:, 0]),
        "patches": taps(last[:, 1:]),
        "mean": taps(last[:, 1:].mean(1)),
    }
    if hasattr(out, "logits"):
        found |= {"scores": taps(out.logits), "probabilities": taps(out.logits.softmax(1))}
    return {"config": config, "preprocessor": said, "shapes": shapes, "layers": found}


size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "mlp_ratio": 2}
named = {"id2label": {0: "cat", 1: "dog", 2: "car"}, "label2id": {"cat": 0, "dog": 1, "car": 2}}
expected = {
    # Pictures smaller than those that it has places for, and larger ones.
    "dinov2": dinov2(Dinov2Model(Dinov2Config(**size, image_size=42, patch_size=7)), 30, 28),
    "dinov2-larger": dinov2(Dinov2Model(Dinov2Config(**size, image_size=28, patch_size=7)), 50, 40),
    "dinov2-classes": dinov2(
        Dinov2ForImageClassification(Dinov2Config(**size, image_size=32, patch_size=8, **named)), 36, 32
    ),
}
(HERE / "dinov2.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
