"""onnxruntime with a sentence encoder: FOLDER TEXTS.json PRECISION THREADS CACHE.

Texts are sorted by length and go in batches of 32, padded to their longest, which is the best that it can be given; the ids
of their tokens are made before. Prints seconds, and the vectors' least cosine to those of float32. The ONNX files are made once.
"""
import json
import os
import sys
import time
import warnings

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

warnings.filterwarnings("ignore")
folder, texts, precision, threads, cache = sys.argv[1:6]
threads = int(threads)


def export(kind):
    path = os.path.join(cache, f"encoder-{kind}.onnx")
    if os.path.exists(path):
        return path
    if kind == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(export("float32"), path, weight_type=QuantType.QInt8, per_channel=True)
        return path
    import torch

    # torchaudio, which transformers loads where it is installed, refuses a torch of another CUDA.
    torch.version.cuda = None
    from transformers import AutoModel

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, ids, mask, types):
            found = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return found.last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    ones = torch.ones(2, 16, dtype=torch.long)
    torch.onnx.export(
        Hidden(), (ones, ones, ones * 0), path, input_names=names, output_names=["hidden"],
        opset_version=17, dynamo=False,
        dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "hidden"]},
    )
    return path


def session(kind):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(export(kind), options, providers=["CPUExecutionProvider"])


def encode(model, items):
    ids = np.zeros((len(items), max(map(len, items))), np.int64)
    mask = np.zeros_like(ids)
    for row, item in enumerate(items):
        ids[row, : len(item)] = item
        mask[row, : len(item)] = 1
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0}
    hidden = model.run(None, given)[0]
    vectors = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(256)
with open(texts) as file:
    items = [tokenizer.encode(text).ids for text in json.load(file)]
items.sort(key=len)
model = session(precision)
encode(model, items[:32])
begin, used = time.perf_counter(), time.process_time()
for first in range(0, len(items), 32):
    encode(model, items[first : first + 32])
wall, cpu = time.perf_counter() - begin, time.process_time() - used
sample = {"wall": wall, "cpu": cpu, "tokens": sum(map(len, items))}
if precision != "float32":
    exact, few = session("float32"), items[:: max(1, len(items) // 200)]
    pairs = [(encode(exact, [item]), encode(model, [item])) for item in few]
    sample["cosine"] = min(float((a * b).sum()) for a, b in pairs)
print(json.dumps(sample))
