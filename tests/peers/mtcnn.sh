#!/bin/sh
# MTCNN here against facenet-pytorch on whole 1080p frames, the same settings and threads, in turn: medians of ROUNDS.
# Usage: tests/peers/mtcnn.sh [ROUNDS [FRAMES [THREADS]]]     (5, 6 and 2; from the repository's root, after make
# build/tests/bench_mtcnn and bin/weights fetch mtcnn). PYTHON names an interpreter that has torch, torchvision and facenet_pytorch.
rounds=${1:-5} frames=${2:-6} threads=${3:-2} python=${PYTHON:-/usr/bin/python3} build=${BUILD:-build}
[ -e ../shared/data/clips ] || { echo "skipped: MTCNN against facenet-pytorch, ../shared/data is not here"; exit 0; }
"$python" -c 'import facenet_pytorch, torch' 2>/dev/null ||
  { echo "skipped: MTCNN against facenet-pytorch, which $python has not (PYTHON names another)"; exit 0; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
"$build/tests/bench_mtcnn" --write "$tmp" || exit 1
set -- $(ls "$tmp"/*.png | awk -v n="$frames" '{f[NR] = $1} END {for (i = 0; i < n && i < NR; i++) print f[1 + int(i * NR / n)]}')
for round in $(seq "$rounds"); do
  ours=$("$build/tests/bench_mtcnn" "$threads" "$@") || exit 1
  theirs=$("$python" "$(dirname "$0")/mtcnn_facenet.py" "$threads" "$@") || exit 1
  echo "round $round: here $ours, facenet-pytorch $theirs (seconds, processor seconds, faces)"
  echo "$ours $theirs" >>"$tmp/times"
done
median() { cut -d' ' -f "$1" "$tmp/times" | sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
echo "$# $threads $(median 1) $(median 2) $(median 4) $(median 5) $("$python" -c 'import torch; print(torch.__version__)')" |
  awk '{printf "%d frames, %d threads: %.1f ms a frame here, %.1f by facenet-pytorch (torch %s): %.1f times as fast; processor time %.1f and %.1f ms: %.1f\n", $1, $2, 1e3 * $3 / $1, 1e3 * $5 / $1, $7, $5 / $3, 1e3 * $4 / $1, 1e3 * $6 / $1, $6 / $4}'
