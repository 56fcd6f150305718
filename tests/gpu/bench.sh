#!/bin/sh
# make gpu-bench: how fast the cuda backend is, beside what the device could do and beside PyTorch. Usage: bench.sh DIR [STEP...]
#
# DIR holds the programs (build/gpu, or what pack.sh made). Steps, all of them if none is named:
#   layers      peaks, and every pass of VGG16's layers by way and precision, beside its floors
#   profile     the three slowest of our convolution passes under Nsight Compute (profile.sh), by this call's layers or, where that step
#               is not among them, by NUMBERS=FILE, an earlier record's .jsonl
#   rest        what moves bytes
#   step10, step32, step128   whole training steps at that batch: ours, PyTorch's, ours again, in turn
# PYTHON names the interpreter that has PyTorch (default python3); without PyTorch its part is left out. VARIANTS="bf16 bf16-graph" takes
# some of bench_torch.py's variants only; FACTOR=2 doubles the time limits, BUDGET=SECONDS ends all of it in time. The record goes to
# docs/gpu/ (RECORD=DIR: elsewhere) as DATE-DEVICE-bench.md, with the numbers of every way beside it as .jsonl.
dir=${1:?usage: bench.sh DIR [STEP...]}
shift
here=$(cd "$(dirname "$0")" && pwd)
kind=bench
steps="$*"
. "$here/lib.sh"
json=$logs/numbers.jsonl
cache=$logs/cache # what engine auto measured: once for the runs before and after PyTorch's
: >"$json"

torch() { "$PYTHON" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

printf '%s\n' "$device"
heading
wanted layers && step layers 300 "$dir/gpu_bench" --json "$json" layers
wanted profile && step profile 240 sh "$here/profile.sh" "$dir" "${NUMBERS:-$json}"
wanted rest && step rest 120 "$dir/gpu_bench" --json "$json" rest
for batch in 10 32 128; do
  wanted step$batch || continue
  step step$batch-first 150 "$dir/gpu_bench" --batch $batch --cache "$cache" --json "$json" steps
  if torch; then
    peaks=
    [ -e "$logs/torch-peaks" ] || peaks=--peaks
    : >"$logs/torch-peaks"
    # shellcheck disable=SC2086
    step step$batch-torch 420 "$PYTHON" "$here/bench_torch.py" --batch $batch --limit 300 $peaks ${VARIANTS:+--variants $VARIANTS} --json "$json"
  else
    left_out step$batch-torch "no PyTorch"
  fi
  step step$batch-again 150 "$dir/gpu_bench" --batch $batch --cache "$cache" --json "$json" steps
done
rm -f "$logs/torch-peaks"
"$PYTHON" "$here/ratios.py" "$json" >"$logs/ratios" 2>&1 || left_out ratios "no Python"
echo
cat "$logs/ratios"

{
  head_of "gpu-bench" "tests/gpu/bench.sh ${steps:-(all steps)}"
  result
  echo
  cat "$logs/ratios"
  echo
  heading
  cat "$logs/table"
  for f in layers profile rest step10-first step10-torch step10-again step32-first step32-torch step32-again step128-first step128-torch step128-again; do
    [ -s "$logs/$f" ] || continue
    printf '\n## %s\n\n```\n' $f
    cat "$logs/$f"
    printf '```\n'
  done
} >"$record.md"
cp "$json" "$record.jsonl"
echo "$(result) The record is $record.md"
[ $((failed + late)) -eq 0 ]
