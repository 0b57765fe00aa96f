"""What sentence-transformers (6.2) makes of random vectors in lower precisions: `quantized.json`.

    python quantized.py
"""

import json
from pathlib import Path

import numpy as np
from sentence_transformers.util.quantization import quantize_embeddings

RANDOM = np.random.default_rng(2)
WIDTH = 21
vectors = RANDOM.normal(size=(9, WIDTH)).astype(np.float32)
vectors[:, 3] = 0.25  # nothing to tell apart
vectors[4] = 0
others = (RANDOM.normal(size=(6, WIDTH)) / 2).astype(np.float32)
ranges = np.vstack((np.full(WIDTH, -1.5), np.linspace(0.5, 2.5, WIDTH))).astype(np.float32)

found = {"width": WIDTH, "vectors": vectors, "others": others, "ranges": ranges, "of": {}}
for precision in ["int8", "uint8", "binary", "ubinary"]:
    found["of"][precision] = {"plain": quantize_embeddings(vectors, precision)}
    if precision.endswith("int8"):
        with_others = quantize_embeddings(vectors, precision, calibration_embeddings=others)
        found["of"][precision]["calibrated"] = with_others
        found["of"][precision]["ranged"] = quantize_embeddings(vectors, precision, ranges=ranges)
content = json.dumps(found, default=lambda array: array.flatten().tolist())
(Path(__file__).parent / "quantized.json").write_text(content + "\n")
