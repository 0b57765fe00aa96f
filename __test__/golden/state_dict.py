"""Makes the files of PyTorch's that tests read: python state_dict.py (needs torch)."""

from collections import OrderedDict
from pathlib import Path

import torch

here = Path(__file__).parent
numbers = torch.arange(12, dtype=torch.float32).reshape(3, 4)
tensors = OrderedDict(
    {
        "0.weight": numbers,
        "0.bias": torch.tensor([0.5, -1.5, 2.5]),
        "transposed": numbers.t(),
        "row": numbers[1],
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "double": torch.tensor([1e-3], dtype=torch.float64),
        "count": torch.tensor(7),
        "parameter": torch.nn.Parameter(torch.tensor([3.0])),
        "empty": torch.zeros(0, 4),
    }
)
tensors._metadata = OrderedDict({"": {"version": 1}})
torch.save(tensors, here / "tensors.pth")
torch.save(
    {"epoch": 3, "state_dict": tensors}, here / "old.th", _use_new_zipfile_serialization=False
)
