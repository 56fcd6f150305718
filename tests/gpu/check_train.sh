#!/bin/sh
# train.sh and parts.sh, without a GPU: the packed programs (without FFmpeg) on the emulated device, on small pictures that are made here.
# Usage: check_train.sh BUILD
build=$(cd "${1:?usage: check_train.sh BUILD}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
unset BUDGET FACTOR WEIGHTS WORKERS EPOCHS RECIPE RECIPE_EPOCHS DEVICE
export PYTHON=false RECORD="$tmp/records" COMMIT=none OMP_WAIT_POLICY=passive
record() { grep -q -e "$1" "$RECORD"/*-train.md; }
run() { # status, words of train.sh
  want=$1
  shift
  rm -rf "$RECORD" && mkdir -p "$RECORD"
  sh "$here/train.sh" "$tmp/gpu" "$@" >"$tmp/out" 2>&1 && got=0 || got=$?
  check "exit status of train.sh $*: $got" [ "$got" -eq "$want" ]
}

# Noisy pictures, fake ones more red.
n=0
for part in train val; do
  for class in fake real; do
    mkdir -p "$tmp/faces/$part/$class"
    for i in 0 1 2 3 4 5; do
      n=$((n + 1))
      awk -v seed=$n -v red="$([ $class = fake ] && echo 160 || echo 60)" 'BEGIN { srand(seed); printf "P3 20 20 255\n"
        for (i = 0; i < 400; i++) printf "%d %d %d\n", red + 60 * rand(), 180 * rand(), 180 * rand() }' >"$tmp/faces/$part/$class/$i.ppm"
    done
  done
done

# In parts of one MiB, which they all fit; then with what needs two.
sh "$here/parts.sh" split "$tmp/faces" "$tmp/parts" 1 >"$tmp/out" 2>&1
check "one part" [ "$(ls "$tmp/parts")" = faces.1-of-1.tar ]
rm -rf "$tmp/parts"
head -c 700000 /dev/zero >"$tmp/faces/a large one"
head -c 700000 /dev/zero >"$tmp/faces/another"
sh "$here/parts.sh" split "$tmp/faces" "$tmp/parts" 1 >"$tmp/out" 2>&1
check "two parts" [ "$(ls "$tmp/parts" | tr '\n' ' ')" = "faces.1-of-2.tar faces.2-of-2.tar " ]
for part in "$tmp/parts"/*; do check "small enough: $part" [ "$(wc -c <"$part")" -le 1048576 ]; done
sh "$here/parts.sh" join "$tmp/there" "$tmp/parts/faces.2-of-2.tar" >"$tmp/out" 2>&1
check "one is missing" [ $? -eq 3 ]
check "which one" says ': of 2 parts there is not yet: 1$'
sh "$here/parts.sh" join "$tmp/there" "$tmp/parts/faces.1-of-2.tar" >"$tmp/out" 2>&1
check "all are there" [ $? -eq 0 ]
check "as they were" diff -r -x '.part-*' "$tmp/faces" "$tmp/there"
head -c 1100000 /dev/zero >"$tmp/faces/another"
sh "$here/parts.sh" split "$tmp/faces" "$tmp/parts" 1 >"$tmp/out" 2>&1
check "a file that no part holds" [ $? -ne 0 ]
check "is named" says 'another is larger than a part'
sh "$here/parts.sh" join "$tmp/there" "$tmp/out" >"$tmp/out" 2>&1
check "what is no part" [ $? -eq 1 ]

mkdir -p "$tmp/gpu/bin"
ln -s "$build/tests/cuda_host/bare/train" "$build/tests/cuda_host/bare/infer" "$tmp/gpu/bin"
printf '#!/bin/sh\necho "gpu_info: cuda: no GPU to be had: no driver" >&2\nexit 1\n' >"$tmp/gpu/gpu_info"
chmod +x "$tmp/gpu/gpu_info"
run 1 "$tmp/there"
check "without a GPU it says so in a line" [ "$(cat "$tmp/out")" = "gpu_info: cuda: no GPU to be had: no driver" ]
check "and writes no record" [ -z "$(ls "$RECORD")" ]
run 1 "$tmp/parts"
check "a folder without faces" says 'parts/train: no such folder; expected train/ and val/ in '
printf '#!/bin/sh\nif [ "$1" = name ]; then echo fake-device; else echo "device     a fake device"; fi\n' >"$tmp/gpu/gpu_info"

# All of it, small.
export SET="model.backbone=tiny data.target_size=[16,16] engine=native" EPOCHS=2 RECIPE_EPOCHS=2 WORKERS=1
run 0 "$tmp/there"
check "all steps passed" says '^All steps passed\. The record is .*-fake-device-train\.md$'
for step in bf16 fp32 recipe; do
  check "$step" record "^| $step  *| passed "
  check "$step is scored" record "^| $step-score  *| passed "
  check "$step: speed" record "^| $step | 2 | [0-9.]* | [0-9.]* | [0-9.]* % | [0-9.]* % | [0-9.]* % | [0-9.]* % | [0-9.]* % | [0-9.]* % | [0-9]* |$"
done
check "three histories" [ "$(grep -c '^epoch,loss,' "$RECORD"/*.md)" -eq 3 ]
check "three tables of the time" [ "$(grep -c '^epoch,pictures,' "$RECORD"/*.md)" -eq 3 ]
check "AUC of three models" [ "$(grep -c '^ROC AUC ' "$RECORD"/*.md)" -eq 3 ]
check "no picture's name" [ "$(grep -c 'ppm' "$RECORD"/*.md)" -eq 0 ]
check "on the device" grep -q 'Device      cuda:0, emulated device' "$RECORD"/*.txt
check "in bf16" grep -q 'bf16, engine native' "$RECORD"/*.txt
# The table's share of the time, by the file.
share=$(awk -F, 'NR == 3 { printf "%.1f", 100 * $8 / $4 }' "$tmp/gpu/runs/fp32/speed.csv")
check "compute of fp32 is $share %" record "^| fp32 | 2 |.* | $share % | [0-9.]* % | [0-9.]* % | [0-9]* |$"

# Single steps; what has no model; a training that fails; another device.
run 0 "$tmp/there" recipe-score
check "one step" [ "$(grep -c '^| [a-z0-9-]* *| passed' "$tmp/out")" -eq 1 ]
rm -r "$tmp/gpu/runs/bf16"
run 0 "$tmp/there" bf16-score
check "no model" says '^| bf16-score  *| left out: no model '
keep=$SET
SET="$SET engine=none"
run 1 "$tmp/there" fp32
check "a training that fails" record '^1 steps FAILED\.$'
SET=$keep
export DEVICE=cpu
run 0 "$tmp/there" recipe
check "on the CPU" grep -q ', oneDNN ' "$RECORD"/*-cpu-train.txt

# What is left out of these programs is refused in words.
printf 'BM a picture that FFmpeg reads' >"$tmp/picture.bmp"
"$build/tests/cuda_host/bare/infer" --model "$tmp/gpu/runs/recipe/last.safetensors" --device cpu --faces-are-cut "$tmp/picture.bmp" >"$tmp/out" 2>&1
check "without FFmpeg" says 'this program was built without FFmpeg; it reads pictures of faces in PNG, JPEG and PNM only'

echo "[  PASSED  ] $passed test(s)."
[ $failed -eq 0 ] || { echo "[  FAILED  ] $failed test(s)"; exit 1; }
