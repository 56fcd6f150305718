#!/bin/sh
# The same training step and inference here and in PyTorch, in turn: medians of ROUNDS runs each, their ratio, and both peaks of
# resident memory. PyTorch gets the form that a first trial shows to be its fastest (inference), and an allocator that keeps its pages.
# Usage: tests/peers/bench_torch.sh [BUILD [ROUNDS [BATCH]]]     (from the repository's root, after `make bench` or
# `make build/tests/bench_vgg16`; PYTHON names another interpreter). About 3 minutes on 2 quiet cores.
build=${1:-build} rounds=${2:-5} batch=${3:-10} python=${PYTHON:-/usr/bin/python3} threads=${THREADS:-$(nproc)}
trials=$(mktemp -d)
trap 'rm -rf "$trials"' EXIT
ours() { "$build/tests/bench_vgg16" --threads "$threads" "$1" "$batch" "$2"; }
torch() {
  MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 MALLOC_TOP_PAD_=268435456 \
    "$python" tests/peers/bench_torch.py "$1" "$batch" "$2" --form "$3" --threads "$threads"
}
median() { sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
printf '%-10s %14s %14s %7s   %9s %9s\n' "batch $batch" "here images/s" "torch images/s" ratio "here MB" "torch MB"
for mode in train infer; do
  if [ $mode = train ]; then forms="plain channels_last" repeats=4; else forms="plain channels_last mkldnn jit" repeats=6; fi
  for form in $forms; do torch $mode 2 $form; done >"$trials/forms" || exit 1
  form=$(sort -g -k 2 "$trials/forms" | tail -n 1 | awk '{print $5}')
  : >"$trials/here"
  : >"$trials/torch"
  for round in $(seq "$rounds"); do
    ours $mode $repeats >>"$trials/here" || exit 1
    torch $mode $repeats "$form" >>"$trials/torch" || exit 1
  done
  here=$(awk '{print $2}' "$trials/here" | median) there=$(awk '{print $2}' "$trials/torch" | median)
  here_mb=$(awk '{print $4}' "$trials/here" | median) there_mb=$(awk '{print $4}' "$trials/torch" | median)
  printf '%-10s %14.2f %14.2f %7.2f   %9.0f %9.0f   (torch: %s)\n' $mode "$here" "$there" \
    "$(echo "$here $there" | awk '{print $1 / $2}')" "$here_mb" "$there_mb" "$form"
done
