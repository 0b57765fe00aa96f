"""PyTorch with towers of pictures and sounds of random weights.

    make KIND FOLDER TOKENIZER             writes a folder of Hugging Face: vit (ViT-B/16), clip (ViT-B/32) or clap (HTSAT)
    run KIND FOLDER INPUTS COUNT THREADS   encodes them, and prints seconds and the first values of each vector

INPUTS are the bytes of pictures of 224 x 224, or float32 samples of sounds of ten seconds. They are prepared before they are
timed, and encoded once before that.
"""
import json
import os
import shutil
import sys
import time
import warnings

import numpy as np
import torch

# torchaudio, which transformers loads where it is installed, refuses a torch of another CUDA.
torch.version.cuda = None
import transformers

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
task, kind, folder = sys.argv[1:4]
SIDE, BATCH = 224, 16
NARROW = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
PIXELS = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
VIT = {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}, "resample": 2}
CLIP = {
    "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "resample": 3, "do_convert_rgb": True,
    "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True,
}
SCALES = {
    "vit": {"image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    "clip": {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]},
}
LISTENER = {"frequency_min": 50, "truncation": "rand_trunc", "padding": "repeatpad"}


def make(tokenizer):
    """The tower of texts, which nobody asks, is a small one."""
    torch.manual_seed(1)
    if kind == "vit":
        model = transformers.ViTModel(transformers.ViTConfig(), add_pooling_layer=False)
    elif kind == "clip":
        model = transformers.CLIPModel(transformers.CLIPConfig(text_config=NARROW))
    else:
        config = transformers.ClapConfig(text_config={**NARROW, "vocab_size": 420})
        model = transformers.ClapModel(config)
        transformers.ClapFeatureExtractor(**LISTENER).save_pretrained(folder)
    model.save_pretrained(folder)
    if kind != "vit":
        shutil.copy(tokenizer, os.path.join(folder, "tokenizer.json"))
    if kind != "clap":
        with open(os.path.join(folder, "preprocessor_config.json"), "w") as file:
            json.dump({**(VIT if kind == "vit" else CLIP), **SCALES[kind], **PIXELS}, file)


def prepared(path, count):
    if kind == "clap":
        sounds = np.fromfile(path, np.float32).reshape(count, -1)
        extract = transformers.ClapFeatureExtractor.from_pretrained(folder)
        return extract(list(sounds), sampling_rate=48_000, return_tensors="pt")["input_features"]
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in SCALES[kind].values())
    raw = np.fromfile(path, np.uint8).reshape(count, SIDE, SIDE, 3)
    return (torch.from_numpy(raw).permute(0, 3, 1, 2).float() / 255 - mean) / deviation


def tower():
    unit = torch.nn.functional.normalize
    if kind == "vit":
        vit = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
        return lambda batch: vit(pixel_values=batch).last_hidden_state[:, 0]
    if kind == "clip":
        clip = transformers.CLIPVisionModelWithProjection.from_pretrained(folder).eval()
        return lambda batch: unit(clip(pixel_values=batch).image_embeds, dim=-1)
    clap = transformers.ClapAudioModelWithProjection.from_pretrained(folder).eval()
    return lambda batch: unit(clap(input_features=batch).audio_embeds, dim=-1)


def run(path, count, threads):
    torch.set_num_threads(threads)
    inputs, encode = prepared(path, count), tower()
    with torch.inference_mode():
        encode(inputs[:BATCH])
        begin, used = time.perf_counter(), time.process_time()
        found = torch.cat([encode(batch) for batch in inputs.split(BATCH)])
        wall, cpu = time.perf_counter() - begin, time.process_time() - used
    print(json.dumps({"wall": wall, "cpu": cpu, "vectors": found[:, :8].tolist()}))


if task == "make":
    make(sys.argv[4])
else:
    run(sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
