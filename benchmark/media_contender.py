"""What soundfile (libsndfile) and soxr do in the benchmark of media, called by it and not by hand.

media_contender.py make FOLDER            writes one sound as WAV, FLAC, MP3 and Ogg Vorbis
media_contender.py decode FILE            prints the seconds of decoding it, the moments and the mean square
media_contender.py resample FILE RATE     prints those of resampling its only channel by soxr's default (HQ)
"""
import json
import sys
import time

import numpy as np
import soundfile
import soxr

work, path = sys.argv[1:3]


def tell(do):
    do()  # what is loaded at the first call is no work
    began, cpu = time.perf_counter(), time.process_time()
    samples = do()
    seconds = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    square = float(np.mean(np.square(samples, dtype=np.float64)))
    print(json.dumps({**seconds, "moments": len(samples), "square": square}))


if work == "make":
    rate, seconds = 44_100, 60
    at = np.arange(rate * seconds) / rate
    noise = np.random.default_rng(1).standard_normal((rate * seconds, 2))
    tones = np.stack([np.sin(2 * np.pi * (200 + 40 * at) * at), np.sin(2 * np.pi * 700 * at)], 1)
    sound = 0.4 * tones + 0.02 * noise
    for kind, name in [("WAV", "wav"), ("FLAC", "flac"), ("MP3", "mp3"), ("OGG", "ogg")]:
        with soundfile.SoundFile(f"{path}/sound.{name}", "w", rate, 2, format=kind) as file:
            for begin in range(0, len(sound), 4096):  # Vorbis of all at once overflows libsndfile's stack
                file.write(sound[begin : begin + 4096])
    soundfile.write(f"{path}/mono.wav", sound[:, :1], rate)
elif work == "decode":
    tell(lambda: soundfile.read(path, dtype="float32")[0])
elif work == "resample":
    samples, rate = soundfile.read(path, dtype="float32")
    tell(lambda: soxr.resample(samples, rate, int(sys.argv[3])))
