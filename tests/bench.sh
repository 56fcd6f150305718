#!/bin/sh
# make bench: VGG16 at 150x150 by layer and in whole, training step and inference, batch 10 and 32, then the other benches of
# tests/bench_*.c. Usage: bench.sh BUILD BIN
build=$1
for batch in 10 32; do
  for mode in train infer; do
    "$build/tests/bench_vgg16" --layers $mode $batch 5 | grep -v '^images/s' || exit 1
    echo
  done
done
for source in tests/bench_*.c; do
  name=$(basename "$source" .c)
  [ "$name" = bench_vgg16 ] && continue
  echo "$name"
  "$build/tests/$name" || exit 1
  echo
done
