"""What transformers (5.24, PyTorch 2.15) gives for small models of sounds and texts: `expected.json`. The tokenizer is that of
`text-models/roberta`.

    python make.py
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

from filled import numbers, saved, taps  # noqa: E402

TEXTS = [
    "the sound of a dog",
    "",
    "Rain, and  17 birds: naïve 这是",
    "a text that is too long for the places that this model has for tokens of a text",
]


def sound(length, by):
    """Numbers that look like noise, and are the same everywhere, that grow louder and softer."""
    at = np.arange(length, dtype=np.uint64)
    hashed = (at * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(1 << 32)
    noise = (hashed >> np.uint64(8)).astype(np.float64) / (1 << 23) - 1
    return (noise * ((at % np.uint64(by)).astype(np.float64) / by)).astype(np.float32)


def clap(audio, extractor):
    text = {
        "vocab_size": 420,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 26,
        "pad_token_id": 1,
    }
    torch.manual_seed(1)
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    model, shapes, config = saved(ClapModel(config))
    tokenizer = Tokenizer.from_file(str(HERE.parent / "text-models" / "roberta" / "tokenizer.json"))
    counts = [len(found.ids) for found in tokenizer.encode_batch(TEXTS)]
    tokenizer.enable_truncation(24)
    tokenizer.enable_padding(pad_id=1)
    found = tokenizer.encode_batch(TEXTS)
    ids = torch.tensor([one.ids for one in found])
    mask = torch.tensor([one.attention_mask for one in found])
    extract = ClapFeatureExtractor(**extractor)
    whole = extract.nb_max_samples
    # The third has as many frames as the second, of fusion.
    lengths = [whole // 3, whole, whole + (5 if extract.truncation == "fusion" else 901), 2 * whole, 37]
    sounds = {"lengths": lengths, "by": [97, 151, 211, 1000, 37]}
    # Of longer ones what is in the middle.
    np.random.randint = lambda low, high: (high - 1) // 2
    np.random.choice = lambda places: places[(len(places) - 1) // 2]
    waves = [sound(*one) for one in zip(sounds["lengths"], sounds["by"])]
    extracted = extract(waves, sampling_rate=extract.sampling_rate, return_tensors="pt")
    features = extracted["input_features"]
    taken = {}

    def keep(name, part, of_input=False):
        def hook(_, inputs, output):
            value = inputs[0] if of_input else output[0] if isinstance(output, tuple) else output
            taken[name] = value

        part.register_forward_hook(hook)

    encoder = model.audio_model.audio_encoder
    if not encoder.enable_fusion:
        keep("map", encoder.patch_embed, of_input=True)
    keep("embeddings", encoder.patch_embed)
    for stage, layers in enumerate(encoder.layers):
        keep(f"layers.{stage}", layers)
        for number, block in enumerate(layers.blocks):
            keep(f"layers.{stage}.blocks.{number}", block)
    keep("norm", encoder.norm)
    keep("linear2", model.audio_projection.linear2)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask, **extracted)
    return {
        "config": config,
        "preprocessor": json.loads(extract.to_json_string()),
        "shapes": shapes,
        "sounds": sounds,
        "features": taps(features),
        "layers": {name: taps(value) for name, value in taken.items()}
        | {"mean": taps(out.audio_model_output.pooler_output), "sound": taps(out.audio_embeds)},
        "texts": TEXTS,
        "counts": counts,
        "vectors": [numbers(row) for row in out.text_embeds],
        "probabilities": [numbers(row) for row in out.logits_per_audio.softmax(1)],
        "logitScale": model.logit_scale_a.exp().item(),
    }


small = {"spec_size": 32, "num_mel_bins": 8, "patch_embeds_hidden_size": 8}
heard = {"fft_window_size": 64, "max_length_s": 1, "truncation": "rand_trunc"}
expected = {
    # Windows of 4 x 4, shifted on a map of 8 x 8 and alone on one of 4 x 4; fewer frames than the map has room for.
    "clap": clap(
        small | {"window_size": 4, "depths": [2, 2], "num_attention_heads": [2, 4], "hidden_size": 16},
        heard
        | {"sampling_rate": 2000, "hop_length": 20, "feature_size": 8, "frequency_max": 900}
        | {"padding": "repeatpad"},
    ),
    # Smaller windows, patches that overlap, and as many frames as the map has room for.
    "clap-overlapping": clap(
        small
        | {"window_size": 2, "depths": [2, 1, 2], "num_attention_heads": [1, 2, 8], "hidden_size": 32}
        | {"patch_size": 8, "patch_stride": [4, 4], "enable_patch_layer_norm": False, "num_mel_bins": 16}
        | {"hidden_act": "gelu_new", "mlp_ratio": 2.5, "layer_norm_eps": 1e-6},
        heard
        | {"sampling_rate": 1008, "hop_length": 16, "feature_size": 16, "frequency_max": 450}
        | {"padding": "repeat"},
    ),
    # Longer sounds in four views.
    "clap-fused": clap(
        {"spec_size": 128, "window_size": 8, "depths": [1, 2], "num_attention_heads": [2, 4], "hidden_size": 16}
        | {"patch_embeds_hidden_size": 8, "enable_fusion": True, "fusion_type": "aff_2d"},
        {"fft_window_size": 256, "max_length_s": 1, "sampling_rate": 4800, "hop_length": 24, "frequency_max": 2300}
        | {"truncation": "fusion", "padding": "pad"},
    ),
}
(HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
