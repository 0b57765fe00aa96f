"""What transformers (5.24, PyTorch 2.15) gives for a small SigLIP: `siglip.json`. The tokenizer is that of `make.py`.

    python siglip.py
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import SiglipConfig, SiglipModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

from filled import numbers, saved, taps  # noqa: E402
from pictures import TEXTS, processed  # noqa: E402

torch.manual_seed(1)
tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
last = tokenizer.token_to_id("<|endoftext|>")
size = {"intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
text = size | {"vocab_size": last + 1, "hidden_size": 32, "max_position_embeddings": 24, "projection_size": 24}
text |= {"bos_token_id": last - 1, "eos_token_id": last, "pad_token_id": last}
vision = size | {"hidden_size": 24, "image_size": 32, "patch_size": 8}
model, shapes, config = saved(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)))
counts = [len(found.ids) for found in tokenizer.encode_batch(TEXTS)]
tokenizer.enable_truncation(24)
tokenizer.enable_padding(pad_id=last, length=24)
ids = torch.tensor([one.ids for one in tokenizer.encode_batch(TEXTS)])
pixels, said = processed(SiglipImageProcessorPil(size={"height": 32, "width": 32}))
with torch.no_grad():
    out = model(input_ids=ids, pixel_values=pixels)
    seen = model.vision_model(pixels, output_hidden_states=True)
hidden = seen.hidden_states
found = {
    "config": config,
    "preprocessor": said,
    "shapes": shapes,
    "layers": {
        "embeddings": taps(hidden[0]),
        "layers.0": taps(hidden[1]),
        "layers.1": taps(hidden[2]),
        "norm": taps(seen.last_hidden_state),
        "image": taps(out.image_embeds),
    },
    "texts": TEXTS,
    "counts": counts,
    "vectors": [numbers(row) for row in out.text_embeds],
    "probabilities": [numbers(row) for row in out.logits_per_image.sigmoid()],
    "logitScale": model.logit_scale.exp().item(),
}
(HERE / "siglip.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
