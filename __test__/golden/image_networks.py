"""Makes tiny networks of torchvision's, and what each of their layers gives: python image_networks.py
(needs torch, torchvision, safetensors).

`image-networks.json`: by file and layer, how many numbers it gives for the picture, their mean and some of them, with
channels last.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import transforms
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.vgg import VGG, make_layers

here = Path(__file__).parent


def picture(width, height):
    """Numbers that look like noise, and are the same everywhere."""
    at = np.arange(width * height * 3, dtype=np.uint64)
    hashed = (at * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(1 << 32)
    return Image.fromarray((hashed >> np.uint64(24)).astype(np.uint8).reshape(height, width, 3))


class TinyResNet(ResNet):
    """torchvision's, with four channels in the place of 64."""

    def __init__(self, block, blocks):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = 4, 1, 1, 64
        self.conv1 = nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(4), nn.ReLU(inplace=False)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for stage, count in enumerate(blocks):
            stride = 1 if stage == 0 else 2
            layer = self._make_layer(block, 4 + 2 * stage, count, stride=stride)
            setattr(self, f"layer{stage + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(10 * block.expansion, 5)


def tiny_vgg(plan, normed):
    module = VGG(make_layers(plan, batch_norm=normed), num_classes=5, init_weights=False)
    module.classifier = nn.Sequential(
        nn.Linear(8 * 49, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 5)
    )
    return module


def settle(module):
    generator = torch.Generator().manual_seed(3)
    for name, parameter in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("running_var"):
            parameter.copy_(0.5 + noise.abs())
        elif parameter.dim() > 1:
            parameter.copy_(noise * (2 / parameter[0].numel()) ** 0.5)
        elif name.endswith("weight"):
            parameter.copy_(1 + 0.2 * noise)
        else:
            parameter.copy_(0.2 * noise)
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return module.eval()


def taps(module, names, side):
    pipeline = transforms.Compose(
        [
            transforms.Resize(side + side // 7),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    found, parts = {}, dict(module.named_modules())

    def keep(name):
        def hook(_, __, output):
            values = output.permute(0, 2, 3, 1) if output.dim() == 4 else output
            found[name] = values.contiguous().flatten()

        return hook

    for name in names:
        parts[name].register_forward_hook(keep(name))
    with torch.no_grad():
        module(pipeline(picture(301, 263))[None])
    step = lambda values: max(1, len(values) // 6)
    return {
        name: {"length": len(v), "mean": v.mean().item(), "some": v[:: step(v)][:6].tolist()}
        for name, v in found.items()
    }


vgg11 = [4, "M", 4, "M", 6, 6, "M", 6, 8, "M", 8, 8, "M"]
vgg16 = [4, 4, "M", 4, 4, "M", 6, 6, 6, "M", 6, 6, 8, "M", 8, 8, 8, "M"]
ends = ["avgpool", "classifier.0", "classifier.1", "classifier.3", "classifier.4", "classifier.6"]
expected = {}
for file, module, names, side in [
    ("vgg11-bn.pth", tiny_vgg(vgg11, True), [f"features.{i}" for i in range(29)] + ends, 224),
    ("vgg16.safetensors", tiny_vgg(vgg16, False), [f"features.{i}" for i in range(31)] + ends, 224),
    ("resnet18.pth", TinyResNet(BasicBlock, [2, 2, 2, 2]), None, 64),
    ("bottleneck.safetensors", TinyResNet(Bottleneck, [1, 2, 1, 1]), None, 64),
]:
    settle(module)
    if names is None:
        blocks = [n for n, _ in module.named_modules() if n.startswith("layer") and n.count(".") == 1]
        names = ["conv1", "bn1", "maxpool", *blocks, "avgpool", "fc"]
    if file.endswith(".pth"):
        torch.save(module.state_dict(), here / file)
    else:
        save_file(module.state_dict(), here / file)
    expected[file] = taps(module, names, side)
(here / "image-networks.json").write_text(json.dumps(expected, indent=1) + "\n")
