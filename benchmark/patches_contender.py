"""Patches and spectrograms by others: WHAT FILE THREADS.

WHAT is `einops`, `unfold` or `restore` over the pixels of FILE (frames of HEIGHT x WIDTH x 3 bytes), or `librosa` or `torchaudio`
over its samples (float32, 16 kHz). Prints seconds and the sum of the result, by which it is checked.
"""
import json
import sys
import time
import warnings

import numpy as np
import torch

warnings.filterwarnings("ignore")
what, path, threads = sys.argv[1:4]
torch.set_num_threads(int(threads))
HEIGHT, WIDTH, SIZE = 1088, 1920, 16
MEL = {"n_fft": 400, "hop_length": 160, "n_mels": 80}


def pixels():
    return torch.from_numpy(np.fromfile(path, np.uint8).reshape(-1, HEIGHT, WIDTH, 3))


def einops():
    from einops import rearrange

    given = pixels()
    how = "n (h p) (w q) c -> (n h w) (p q c)"
    # Of the ways to write it, the quickest: the numbers are made while the bytes are moved.
    return lambda: rearrange(given, how, p=SIZE, q=SIZE).to(torch.float32).div_(255)


def unfold():
    given = pixels()

    def work():
        cut = given.unfold(1, SIZE, SIZE).unfold(2, SIZE, SIZE).permute(0, 1, 2, 4, 5, 3)
        return cut.to(torch.float32, memory_format=torch.contiguous_format).reshape(-1, SIZE * SIZE * 3).div_(255)

    return work


def restore():
    from einops import rearrange

    tokens = einops()()
    how = "(n h w) (p q c) -> n (h p) (w q) c"
    sides = {"h": HEIGHT // SIZE, "w": WIDTH // SIZE, "p": SIZE, "q": SIZE}
    return lambda: rearrange((tokens * 255).round_().to(torch.uint8), how, **sides)


def librosa():
    import librosa

    samples = np.fromfile(path, np.float32)

    def work():
        mel = librosa.feature.melspectrogram(y=samples, sr=16_000, pad_mode="reflect", **MEL)
        return np.log(np.maximum(mel, 1e-10))

    return work


def torchaudio():
    # It refuses to be loaded beside a torch of another CUDA, none of which is used here.
    torch.version.cuda = None
    import torchaudio

    samples = torch.from_numpy(np.fromfile(path, np.float32))
    mel = torchaudio.transforms.MelSpectrogram(sample_rate=16_000, norm="slaney", mel_scale="slaney", **MEL)
    return lambda: mel(samples).clamp_(min=1e-10).log_()


work = {"einops": einops, "unfold": unfold, "restore": restore, "librosa": librosa, "torchaudio": torchaudio}[what]()
work()  # what is made once is not counted
begin, used = time.perf_counter(), time.process_time()
result = work()
wall, cpu = time.perf_counter() - begin, time.process_time() - used
total = float(torch.as_tensor(result).to(torch.float64).sum())
print(json.dumps({"wall": wall, "cpu": cpu, "sum": total}))
