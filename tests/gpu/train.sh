#!/bin/sh
# make gpu-train FACES=...: the real train and infer on a folder of faces. Usage: train.sh DIR FACES [STEP...]
#
# DIR holds the programs (build/gpu, or what pack.sh made), FACES the folders train/ and val/ with fake/ and real/ in each (parts.sh carries
# them in parts). Steps, all of them if none is named; a score needs its training's model:
#   bf16, fp32, recipe                     train: configs/vgg16_finetune.json in that precision; RECIPE (default faces128_upright, the best of
#                                          docs/results.md from random weights)
#   bf16-score, fp32-score, recipe-score   infer --labels on FACES/val
# WEIGHTS=FILE (or imagenet) are the first two's initial weights, without it random ones. EPOCHS (default 3) and RECIPE_EPOCHS (default: the
# recipe's own) say how long; WORKERS (default: all cores) how many decode; SET="KEY=VALUE ..." is for all trainings. DEVICE is train's
# --device (default cuda). FACTOR=2 doubles the time limits, BUDGET=SECONDS ends all of it in time. The record goes to docs/gpu/ (RECORD=DIR:
# elsewhere): DATE-DEVICE-train.md, and DATE-DEVICE-train.txt with all that the programs printed. Exit status 0 when all steps passed.
dir=${1:?usage: train.sh DIR FACES [STEP...]}
faces=${2:?usage: train.sh DIR FACES [STEP...]}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
kind=train
steps="$*"
DEVICE=${DEVICE:-cuda} RECIPE=${RECIPE:-faces128_upright}
for program in train infer; do
  [ -x "$dir/bin/$program" ] || { echo "train.sh: $dir/bin/$program: no such program; make gpu-programs CUDA=1 makes it" >&2; exit 1; }
done
for part in train val; do
  [ -d "$faces/$part" ] || { echo "train.sh: $faces/$part: no such folder; expected train/ and val/ in $faces" >&2; exit 1; }
done
. "$here/lib.sh"
configs=$here/../configs
[ -d "$configs" ] || configs=$here/../../configs
case $RECIPE in */*) recipe=$RECIPE ;; *) recipe=$configs/$RECIPE.json ;; esac
runs=$dir/runs
XDG_CACHE_HOME=$dir/cache # what engine auto measures: kept for the next call, so that its choices, and the bits, stay the same
export XDG_CACHE_HOME

# training NAME SECONDS CONFIG KEY=VALUE...
training() {
  run=$runs/$1
  rm -rf "$run"
  what=$1 seconds=$2 config=$3
  shift 3
  keys=
  for key in "$@" $SET; do keys="$keys --set $key"; done
  # shellcheck disable=SC2086
  step "$what" "$seconds" "$dir/bin/train" --config "$config" --out "$run" --device "$DEVICE" --force --verbose --set "data.train_dir=$faces/train" \
    --set "data.validation_dir=$faces/val" --set "data.workers=${WORKERS:-$(nproc)}" --set data.cache=4G $keys
}
# scoring NAME: of that training's best model. The table of all pictures stays in the run's folder; what they say together is the output.
scoring() {
  wanted "$1-score" || return 0
  if [ ! -s "$runs/$1/best.safetensors" ]; then
    left_out "$1-score" "no model"
    return 0
  fi
  # shellcheck disable=SC2016
  step "$1-score" 60 sh -c 'all=$1; shift; "$@" >"$all"; status=$?; sed -n "/^ .*frames.*videos/,\$p" "$all"; exit $status' sh "$runs/$1/val.txt" \
    "$dir/bin/infer" --model "$runs/$1/best.safetensors" --faces-are-cut --labels folders --device "$DEVICE" --csv "$runs/$1/val.csv" "$faces/val"
}

printf '%s\n' "$device"
heading
weights=model.weights=${WEIGHTS:-null}
wanted bf16 && training bf16 240 "$configs/vgg16_finetune.json" "$weights" precision=bf16 "epochs=${EPOCHS:-3}"
scoring bf16
wanted fp32 && training fp32 300 "$configs/vgg16_finetune.json" "$weights" precision=fp32 "epochs=${EPOCHS:-3}"
scoring fp32
wanted recipe && training recipe 480 "$recipe" ${RECIPE_EPOCHS:+epochs=$RECIPE_EPOCHS}
scoring recipe

# Of the epochs after the first, which has the first calls of everything in it; of that where it is alone. By the names of the columns.
speed() { # training
  awk -F, -v name="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    { n++; if (n == 2) for (k in sum) delete sum[k]
      for (k in at) sum[k] += $at[k]
      if ($at["device_mb"] + 0 > most) most = $at["device_mb"] }
    function share(k) { return sprintf("%.1f %%", 100 * sum[k] / sum["seconds"]) }
    END { if (n > 0 && sum["seconds"] > 0 && sum["steps"] > 0)
      printf "| %s | %d | %.1f | %.2f | %s | %s | %s | %s | %s | %s | %s |\n", name, n, sum["pictures"] / sum["steps"], sum["seconds"] / (n > 1 ? n - 1 : 1),
        share("steps"), share("wait"), share("feed"), share("compute"), share("validation"), share("saving"), most == "" ? "" : sprintf("%.0f", most) }
  ' "$runs/$1/speed.csv"
}

{
  head_of "gpu-train" "tests/gpu/train.sh${SET:+ with SET=\"$SET\"} ${steps:-(all steps)}"
  echo "Faces: $(find "$faces/train" -type f | wc -l) for training, $(find "$faces/val" -type f | wc -l) held out. VGG16 from ${WEIGHTS:-random} weights; recipe $RECIPE."
  echo
  result
  echo
  heading
  cat "$logs/table"
  echo
  echo "Speed, of the epochs after the first: shares of their time; feed and compute are the device's own and overlap (docs/training.md)."
  echo
  echo "| training | epochs | images/s of the steps | s an epoch | steps | wait | feed | compute | validation | saving | device MB |"
  echo "|---|---|---|---|---|---|---|---|---|---|---|"
  for run in bf16 fp32 recipe; do
    wanted $run && [ -s "$runs/$run/speed.csv" ] && speed $run
  done
  for run in bf16 fp32 recipe; do
    wanted $run || wanted $run-score || continue
    for file in history.csv speed.csv; do
      [ -s "$runs/$run/$file" ] && wanted $run || continue
      printf '\n%s, %s:\n\n```\n' $run $file
      cat "$runs/$run/$file"
      printf '```\n'
    done
    [ -s "$logs/$run-score" ] || continue
    printf '\n%s, infer --labels on the held-out faces:\n\n```\n' $run
    cut -c1-200 "$logs/$run-score"
    printf '```\n'
  done
} >"$record.md"
end_record
