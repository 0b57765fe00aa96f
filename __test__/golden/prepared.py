"""Makes what torchvision and transformers give for a picture: python prepared.py (needs torch, torchvision, Pillow,
transformers).

`prepared.json`: for each recipe the sum of all numbers, and 64 of them by their places. The picture is worked
out the same way where it is tested.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def picture(width, height):
    """Numbers that look like noise, and are the same everywhere."""
    at = np.arange(width * height * 3, dtype=np.uint64)
    hashed = (at * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(1 << 32)
    return Image.fromarray((hashed >> np.uint64(24)).astype(np.uint8).reshape(height, width, 3))


def case(width, height, resize, crop, kind, half, values):
    bits = values.contiguous().flatten().view(torch.int32).to(torch.int64) & 0xFFFFFFFF
    weights = torch.arange(1, len(bits) + 1)
    return {
        "width": width,
        "height": height,
        "resize": resize,
        "crop": crop,
        "filter": kind,
        "half": half,
        # Of the bits of all numbers, so that no bit may differ.
        "checksum": int((bits * weights % 2147483647).sum() % 2147483647),
        "first": values.flatten()[:3].tolist(),
    }


cases = []
for width, height, resize, crop, kind in [
    (61, 43, 32, 28, "bilinear"),
    (43, 61, 32, 28, "bicubic"),
    (20, 15, 32, 27, "bilinear"),
    (20, 15, 32, 27, "bicubic"),
    (40, 32, 32, 25, "bilinear"),
    (300, 7, 16, 16, "bilinear"),
    (31, 31, 16, 21, "bilinear"),
    (1, 1, 16, 16, "bilinear"),
    (1, 200, 16, 16, "bicubic"),
]:
    pipeline = transforms.Compose(
        [
            transforms.Resize(resize, interpolation=InterpolationMode(kind)),
            transforms.CenterCrop(crop),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, DEVIATION),
        ]
    )
    values = pipeline(picture(width, height)).permute(1, 2, 0)
    cases.append(case(width, height, resize, crop, kind, "even", values))

for width, height, resize, crop, kind in [
    (61, 43, [32, 32], 32, "bilinear"),
    (20, 15, [33, 27], 21, "bicubic"),
    (1, 1, [16, 16], 16, "bilinear"),
    (43, 61, 31, 28, "bicubic"),
    (61, 43, 29, 22, "bicubic"),
]:
    size = {"height": resize[0], "width": resize[1]} if isinstance(resize, list) else {"shortest_edge": resize}
    processor = CLIPImageProcessorPil(
        size=size,
        crop_size={"height": crop, "width": crop},
        resample={"bilinear": 2, "bicubic": 3}[kind],
        # The pixels themselves: transformers takes a mean away that was rounded otherwise.
        do_rescale=False,
        do_normalize=False,
    )
    pixels = torch.tensor(np.array(processor(picture(width, height))["pixel_values"][0]))
    # As torchvision has them, so that no bit may differ here either.
    values = (pixels.float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    cases.append(case(width, height, resize, crop, kind, "down", values.permute(1, 2, 0)))
Path(__file__).with_name("prepared.json").write_text(json.dumps(cases, indent=1) + "\n")
