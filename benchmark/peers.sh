#!/usr/bin/env bash
# Installs the peers of the benchmarks, from PyPI and npm, into the folder that INLAY_PEERS names (default: .peers):
#   .venv           gensim, fastText, tomotopy, scikit-learn, soundfile, soxr
#   word2vec-O3     Mikolov's word2vec.c as the package word2vec ships it, with the flags that ratios are stated against
#   node_modules    natural, TensorFlow.js
#   .torch          PyTorch and onnxruntime, where `INLAY_TORCH` is set: they take six gigabytes
#   word2vec-Ofast  the same with -Ofast, which lets the compiler reorder sums
# Needs python3 with venv, a C compiler and a POSIX system. What is there already is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
home=${INLAY_PEERS:-.peers}
mkdir -p "$home"
home=$(cd "$home" && pwd)
[ -x "$home/.venv/bin/python" ] || python3 -m venv "$home/.venv"
"$home/.venv/bin/python" -c 'import gensim; assert gensim.__version__ == "4.4.0"' 2>/dev/null ||
  "$home/.venv/bin/python" -m pip install -q --disable-pip-version-check gensim==4.4.0
"$home/.venv/bin/python" -c 'import fasttext' 2>/dev/null ||
  "$home/.venv/bin/python" -m pip install -q --disable-pip-version-check fasttext==0.9.3
"$home/.venv/bin/python" -c 'import tomotopy, sklearn' 2>/dev/null ||
  "$home/.venv/bin/python" -m pip install -q --disable-pip-version-check tomotopy==0.14.0 scikit-learn==1.9.1
"$home/.venv/bin/python" -c 'import soundfile, soxr' 2>/dev/null ||
  "$home/.venv/bin/python" -m pip install -q --disable-pip-version-check soundfile==0.14.0 soxr==1.1.0
if [ -n "${INLAY_TORCH:-}" ] && [ ! -x "$home/.torch/bin/python" ]; then
  python3 -m venv "$home/.torch"
  "$home/.torch/bin/python" -m pip install -q --disable-pip-version-check torch==2.15.0 numpy
fi
if [ -n "${INLAY_TORCH:-}" ] && ! "$home/.torch/bin/python" -c 'import onnxruntime' 2> /dev/null; then
  "$home/.torch/bin/python" -m pip install -q --disable-pip-version-check \
    onnxruntime==1.32.0 onnx transformers==5.24.0 tokenizers
fi
if [ -n "${INLAY_TORCH:-}" ] && ! "$home/.torch/bin/python" -c 'import einops' 2> /dev/null; then
  "$home/.torch/bin/python" -m pip install -q --disable-pip-version-check \
    einops==0.8.2 librosa==0.11.0
  "$home/.torch/bin/python" -m pip install -q --disable-pip-version-check --no-deps torchaudio==2.11.0
fi
[ -d "$home/node_modules/natural" ] ||
  npm install --silent --no-audit --no-fund --prefix "$home" natural@8.1.1
[ -d "$home/node_modules/@tensorflow/tfjs" ] ||
  npm install --silent --no-audit --no-fund --prefix "$home" @tensorflow/tfjs@4.22.0

if [ ! -x "$home/word2vec-O3" ] || [ ! -x "$home/word2vec-Ofast" ]; then
  source=$(mktemp -d)
  trap 'rm -rf "$source"' EXIT
  "$home/.venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps \
    --no-binary :all: -d "$source" word2vec==0.11.1
  tar -xzf "$source"/word2vec-0.11.1.tar.gz -C "$source"
  file=$source/word2vec-0.11.1/word2vec/includes/word2vec.c
  for level in O3 Ofast; do
    "${CC:-gcc}" -$level -march=native -funroll-loops -w -o "$home/word2vec-$level" "$file" -lm -lpthread
  done
  "${CC:-gcc}" --version | head -1 >"$home/compiler"
fi
echo "peers are in ${INLAY_PEERS:-.peers}: $(ls "$home" | tr '\n' ' ')"
