"""What goes into the small models of this folder."""

import json

import numpy as np
from PIL import Image

TEXTS = [
    "a photo of a cat",
    "",
    "Two  dogs, and 17 cats: naïve café 这是",
    "it ends <|endoftext|> and goes on",
    "a text that is too long for the places that this model has for tokens of a text",
]


def picture(width, height):
    """Numbers that look like noise, and are the same everywhere."""
    at = np.arange(width * height * 3, dtype=np.uint64)
    hashed = (at * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(1 << 32)
    return Image.fromarray((hashed >> np.uint64(24)).astype(np.uint8).reshape(height, width, 3))


PICTURES = [picture(301, 263), picture(40, 31), picture(1, 1)]


def processed(processor):
    """What a processor gives, and what its file says."""
    said = {k: v for k, v in processor.to_dict().items() if not k.startswith("_") and v is not None}
    said["image_processor_type"] = said["image_processor_type"].removesuffix("Pil")
    return processor(PICTURES, return_tensors="pt")["pixel_values"], json.loads(json.dumps(said))
