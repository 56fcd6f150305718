#!/bin/sh
# Runs every test program of BUILD/tests and adds up what cmocka prints; the last line is "N passed, N failed". A program that dies counts
# as one failure. The programs of tests/cuda_host run the GPU's kernels on an emulated device; each kernel of cuda/ must be launched by
# one of them. Usage: run.sh BUILD BIN
build=$1
UM_BIN=$(cd "$2" && pwd); export UM_BIN
UM_TMP=$(mktemp -d); export UM_TMP
XDG_CACHE_HOME=$UM_TMP/cache; export XDG_CACHE_HOME # what the tuner measures on the emulated device is nobody's cache
trap 'rm -rf "$UM_TMP"' EXIT
UM_CUDA_HOST_RECORD=$UM_TMP/kernels; export UM_CUDA_HOST_RECORD
# Under the sanitizers: fontconfig, which cairo asks for a font, keeps a kilobyte for good; the same whether one plot is drawn or twenty.
echo leak:libfontconfig >"$UM_TMP/lsan.supp"
LSAN_OPTIONS=suppressions=$UM_TMP/lsan.supp:print_suppressions=0; export LSAN_OPTIONS
passed=0 failed=0 skipped=0
run() { # program, name, arguments
  log=$UM_TMP/$(echo "$2" | tr / _).log
  start=$(date +%s)
  "$1" $3 >"$log" 2>&1
  status=$?
  p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  printf '%-28s %4d passed, %d failed, %d skipped  (%d s)\n' "$2" "$p" "$f" "$s" $(($(date +%s) - start))
  if [ "$f" -ne 0 ]; then sed 's/^/    /' "$log" | tail -n 60; fi
  grep -h -e '^skipped:' -e '^left out: MTCNN' "$log" | sed 's/^/    /'
}
for source in tests/test_*.c tests/checkops.c; do
  [ -e "$source" ] && run "$build/tests/$(basename "$source" .c)" "$(basename "$source" .c)"
done
for source in tests/cuda_host/test_*.c tests/cuda_host/test_*.cu tests/cuda_host/checkops.c; do
  name=$(basename "${source%.*}")
  [ -x "$build/tests/cuda_host/$name" ] && run "$build/tests/cuda_host/$name" "cuda_host/$name"
done
for source in tests/gpu/gpu_*.c; do
  name=$(basename "$source" .c)
  [ -x "$build/tests/cuda_host/$name" ] && run "$build/tests/cuda_host/$name" "gpu/$name" --small
done
[ -x "$build/tests/cuda_host/gpu_bench" ] && run tests/gpu/check_scripts.sh gpu/scripts "$build"
[ -x "$build/tests/cuda_host/bare/train" ] && run tests/gpu/check_train.sh gpu/train "$build"

# Three barriers of tiled kernels left out, one at a time: each must make a test fail (make mutate: all of them).
if [ -x "$build/tests/cuda_host/checkops" ]; then
  sites=
  for file in cuda/conv_gemm.cuh cuda/pool.cu cuda/transpose.cu; do
    sites="$sites $file:$(grep -n '__syncthreads()' $file | sed -n '$s/:.*//p')"
  done
  sh tests/cuda_host/mutate.sh "$build" $sites >"$UM_TMP/mutate.log" 2>&1
  caught=$(sed -n 's/^\([0-9]*\) caught, .*/\1/p' "$UM_TMP/mutate.log")
  echo "barriers left out: ${caught:-0} of 3 noticed"
  passed=$((passed + ${caught:-0})) failed=$((failed + 3 - ${caught:-0}))
  [ "${caught:-0}" -eq 3 ] || sed 's/^/    /' "$UM_TMP/mutate.log"
fi

# Kernels by name, and the instantiations of those that are templates.
cat cuda/*.cu cuda/*.cuh | tr '\n' ' ' | grep -oE '__global__ void [^{;]*' |
  sed -E 's/__launch_bounds__\([^()]*\)//; s/__global__ void *//; s/\(.*//; s/ //g' | sort -u >"$UM_TMP/all"
cut -f2 "$UM_TMP/kernels" 2>/dev/null | sed 's/.*:://' | sort -u >"$UM_TMP/ran"
missing=$(comm -23 "$UM_TMP/all" "$UM_TMP/ran" | tr '\n' ' ')
echo "emulated device: $(comm -12 "$UM_TMP/all" "$UM_TMP/ran" | wc -l) of $(wc -l <"$UM_TMP/all") kernels ran, in $(awk -F'\t' 'NR == FNR {all[$1]; next} $1 > 0 && ($2 in all) {print $3}' "$UM_TMP/all" "$UM_TMP/kernels" 2>/dev/null | sort -u | wc -l) instantiations"
if [ -n "$missing" ]; then
  echo "    never launched: $missing"
  failed=$((failed + 1))
fi
if ls "$build"/fuzz/fuzz_* >/dev/null 2>&1; then
  sh tests/fuzz/run.sh "$build" 20 | tee "$UM_TMP/fuzz.log" | grep -v '^\['
  p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$UM_TMP/fuzz.log") f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$UM_TMP/fuzz.log")
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
fi
[ "$skipped" -eq 0 ] || echo "$skipped skipped (see above: what this machine, or a backend, has not)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
