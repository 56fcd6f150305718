#!/bin/sh
# make gpu-test: everything that shows on a GPU that the cuda backend is right. Usage: test.sh DIR [STEP...]
#
# DIR holds the programs (build/gpu, or what pack.sh made). Steps, all of them if none is named:
#   checkops    every op on random shapes against ref: poisoned outputs, guarded memory, every precision
#   kernels     primitives, every way of every convolution on odd shapes, layers, single kernels (the emulated device's tests, on a GPU)
#   ops         every kernel, alternate and precision at VGG16's shapes
#   faces       MTCNN against the cpu backend, where its weights are there; FRAMES=DIR: over the *.ppm in it
#   steps       gradients, and a hundred training steps against the cpu backend's
#   recipe      steps with dropout, sample weights and weight decay, VGG16 and the dct backbone, likewise
#   roundtrip   train, save, resume, score: the same bits
#   faults      too little memory, a second process, Ctrl-C, a killed process, no cuDNN
#   memcheck, racecheck, synccheck   compute-sanitizer over small shapes
# A step that outlasts its time limit has failed; FACTOR=2 doubles the limits, BUDGET=SECONDS ends all of it in time. The record goes to
# docs/gpu/ (RECORD=DIR: elsewhere): DATE-DEVICE-test.md, and DATE-DEVICE-test.txt with all that the programs printed. Exit status 0 when
# all steps passed.
dir=${1:?usage: test.sh DIR [STEP...]}
shift
here=$(cd "$(dirname "$0")" && pwd)
kind=test
steps="$*"
. "$here/lib.sh"

printf '%s\n' "$device"
heading
wanted checkops && step checkops 300 "$dir/checkops" --backend cuda
if wanted kernels; then
  for p in test_primitives test_layers test_steps test_model test_ways; do
    if [ -x "$dir/$p" ]; then step "$p" 240 "$dir/$p"; fi
  done
fi
wanted ops && step ops 480 "$dir/gpu_ops"
if wanted faces; then
  if [ -s "$dir/weights/manifest.json" ]; then # what pack.sh packed
    UM_MANIFEST=${UM_MANIFEST:-$dir/weights/manifest.json} UM_WEIGHTS=${UM_WEIGHTS:-$dir/weights}
    export UM_MANIFEST UM_WEIGHTS
  fi
  set --
  for f in "${FRAMES:-$dir/frames}"/*.ppm; do [ $# -lt 12 ] && [ -s "$f" ] && set -- "$@" "$f"; done
  step faces 120 "$dir/gpu_faces" "$@"
fi
wanted steps && step steps 360 "$dir/gpu_steps" --cache "$logs/cache" gradients losses
wanted recipe && step recipe 240 "$dir/gpu_steps" --cache "$logs/cache" recipe
wanted roundtrip && step roundtrip 360 "$dir/gpu_roundtrip"
wanted faults && step faults 420 "$dir/gpu_faults"

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
for tool in memcheck racecheck synccheck; do
  wanted $tool || continue
  if [ -z "$sanitizer" ]; then
    left_out $tool "no compute-sanitizer"
    continue
  fi
  case $tool in memcheck) with="--leak-check no" ;; *) with= ;; esac
  # shellcheck disable=SC2086
  step $tool-ops 300 "$sanitizer" --tool $tool $with --error-exitcode 9 "$dir/gpu_ops" --small
  # shellcheck disable=SC2086
  step $tool-roundtrip 300 "$sanitizer" --tool $tool $with --error-exitcode 9 "$dir/gpu_roundtrip" --small --steps 2 bits score short
done

{
  head_of "gpu-test" "tests/gpu/test.sh ${steps:-(all steps)}"
  result
  echo
  heading
  cat "$logs/table"
  if [ -s "$logs/ops" ]; then
    echo
    echo "Distance from the cpu backend in fp32, of the norm, worst over layers (ops):"
    echo
    echo "| precision | pass | provider | ways run | worst |"
    echo "|---|---|---|---|---|"
    awk '/^    .* (fp32|tf32|bf16) .* (native|cudnn|cublaslt)/ && $2 != "fwd" && substr($0, 46, 1) != " " && substr($0, 27, 4) != "fwd " {
           pass = substr($0, 27, 18); gsub(/ +$/, "", pass); split(substr($0, 46), way, " ")
           key = substr($0, 22, 4) " | " pass " | " way[1]; n[key]++
           norm = substr($0, 75, 9) + 0; if (norm > worst[key]) worst[key] = norm
         }
         END {for (k in n) printf "| %s | %d | %.1e |\n", k, n[k], worst[k]}' "$logs/ops" | sort
  fi
  for f in faces steps recipe roundtrip faults; do
    [ -s "$logs/$f" ] || continue
    printf '\n%s:\n\n```\n' $f
    grep -v '^\[       OK' "$logs/$f" | cut -c1-200
    printf '```\n'
  done
} >"$record.md"
end_record
