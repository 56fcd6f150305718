#!/bin/sh
# The scripts of this folder, without a GPU: test.sh, bench.sh and profile.sh run programs that only pretend, or gpu_bench on the emulated
# device. Looked at: exit statuses, what is said, the records, time limits, what is profiled. Usage: check_scripts.sh BUILD
build=$(cd "${1:?usage: check_scripts.sh BUILD}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
unset BUDGET FACTOR NUMBERS NCU PRECISION
export PYTHON=false RECORD="$tmp/records" COMMIT=none
record() { grep -q -e "$2" "$RECORD"/*-fake-device-"$1".md; }
differs() { [ "$1" != "$2" ]; }

# pretend NAME LINE...: a program of this name in DIR.
pretend() {
  program=$tmp/gpu/$1
  shift
  printf '#!/bin/sh\n' >"$program"
  printf '%s\n' "$@" >>"$program"
  chmod +x "$program"
}
run() { # status, script, words
  want=$1
  shift
  rm -rf "$RECORD" && mkdir -p "$RECORD"
  sh "$here/$1" "$tmp/gpu" $2 >"$tmp/out" 2>&1 && got=0 || got=$?
  check "exit status of $*: $got" [ "$got" -eq "$want" ]
}

# A command of ours with a variable in its environment.
with() {
  export "${1?}"
  variable=${1%%=*}
  shift
  "$@"
  unset "$variable"
}

mkdir -p "$tmp/gpu" "$tmp/bin" "$RECORD"
PATH=$tmp/bin:$PATH
three='echo "[  PASSED  ] 3 test(s)."; echo "left out: something"'

# No GPU: one line, and no record.
pretend gpu_info 'echo "gpu_info: cuda: no GPU to be had: no driver" >&2' 'exit 1'
for script in test.sh bench.sh; do
  run 1 $script
  check "$script without a GPU says so in a line" [ "$(cat "$tmp/out")" = "gpu_info: cuda: no GPU to be had: no driver" ]
  check "$script without a GPU writes no record" [ -z "$(ls "$RECORD")" ]
done

# Steps that pass, and one that does not.
pretend gpu_info 'if [ "$1" = name ]; then echo fake-device; else echo "device     a fake device"; fi'
for p in checkops test_primitives gpu_ops gpu_faces gpu_steps gpu_roundtrip gpu_faults; do pretend $p "$three"; done
run 0 test.sh "checkops ops faults"
check "all steps passed" says '^All steps passed\. The record is '
check "a step's line" says '^| ops  *| passed  *|  *3 |  *0 |  *1 |'
check "the record's result" record test '^All steps passed\.$'
check "the record's device" record test '^- device: a fake device$'
check "the record's command" record test 'test.sh checkops ops faults$'
check "the record's raw output" grep -q '==== faults ====' "$RECORD"/*.txt
check "a step that was not named" differs "$(ls "$tmp/gpu/logs-test" | tr '\n' ' ')" "checkops faults ops roundtrip table "
run 0 test.sh "checkops"
sh "$here/test.sh" "$tmp/gpu" checkops >"$tmp/out" 2>&1
check "a second record beside the first" [ "$(ls "$RECORD" | grep -c '\.md$')" -eq 2 ]
mkdir "$tmp/gpu/frames" "$tmp/gpu/weights"
echo P6 >"$tmp/gpu/frames/a b.ppm"
echo '{}' >"$tmp/gpu/weights/manifest.json"
pretend gpu_faces 'echo "$# $1 $UM_WEIGHTS"'
run 0 test.sh faces
check "pictures and weights for the step faces" [ "$(cat "$tmp/gpu/logs-test/faces")" = "1 $tmp/gpu/frames/a b.ppm $tmp/gpu/weights" ]
pretend gpu_steps 'echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] 2 test(s)"; echo "  the reason"; exit 1'
run 1 test.sh "checkops steps roundtrip"
check "a step that failed" says '^| steps  *| FAILED (status 1)  *|  *1 |  *2 |'
check "the reason is shown" says '^      the reason$'
check "steps after it are run" says '^| roundtrip  *| passed '
check "the record says so" record test '^1 steps FAILED\.$'
pretend gpu_steps 'kill -9 $$'
run 1 test.sh steps
check "a program that dies" record test '^1 steps FAILED\.$'

# Time: a limit, and a budget. timeout is asked for what the script would give; then it pretends that the time is over.
limits=$tmp/limits
cat >"$tmp/bin/timeout" <<END
#!/bin/sh
shift 2
echo "\$1" >>"$limits"
exit 124
END
chmod +x "$tmp/bin/timeout"
run 1 test.sh faults
check "over its limit" says 'FAILED (over its 420 s)'
with FACTOR=2 run 1 test.sh faults
check "FACTOR doubles limits" [ "$(tail -n 1 "$limits")" -eq 840 ]
BUDGET=100
export BUDGET
run 1 test.sh faults
check "a budget cuts a limit" [ "$(tail -n 1 "$limits")" -le 85 ]
check "what was cut short has not failed" says '^No step failed, but 1 had no time to end'
check "and is told so" says '^| faults  *| cut short: no time left'
BUDGET=20
: >"$limits"
run 1 test.sh "ops faults"
check "without time nothing is begun" [ ! -s "$limits" ]
check "what was not begun is told" says '^| ops  *| left out: no time left'
check "the record says so, too" record test '^No step failed, but 2 had no time to end'
unset BUDGET
rm "$tmp/bin/timeout"
pretend gpu_steps 'sleep 30'
begin=$(date +%s)
(dir=$tmp/gpu kind=test steps=steps && . "$here/lib.sh" && step slow 1 "$dir/gpu_steps") >"$tmp/out" 2>&1
check "a program that hangs is ended" says 'FAILED (over its 1 s)'
check "in time" [ $(($(date +%s) - begin)) -lt 20 ]

# The profile, by numbers that the emulated gpu_bench measured.
pretend gpu_bench "exec '$build/tests/cuda_host/gpu_bench' --small \"\$@\""
with NCU=$tmp/no-ncu run 0 bench.sh "layers profile"
check "layers" says '^| layers  *| passed '
check "without ncu" grep -q '^left out: no ncu' "$tmp/gpu/logs-bench/profile"
cp "$RECORD"/*.jsonl "$tmp/numbers"
check "a line for each pass of three layers in three precisions" [ "$(grep -c '"who": "pass"' "$tmp/numbers")" -eq 24 ]
cat >"$tmp/bin/ncu" <<END
#!/bin/sh
[ "\$1" = --version ] && { echo "Version 0 (a fake)"; exit 0; }
printf '%s\n' "\$@" >>"$tmp/asked"
while [ "\$1" != "$tmp/gpu/gpu_bench" ]; do shift; done
echo "==PROF== Connected to process 1"
"\$@" || exit
echo "    Section: GPU Speed Of Light Throughput"
END
chmod +x "$tmp/bin/ncu"
with NUMBERS=$tmp/numbers run 0 bench.sh profile
check "three passes are looked at" [ "$(grep -c '^    Section: GPU Speed Of Light' "$tmp/gpu/logs-bench/profile")" -eq 3 ]
check "each was launched" [ "$(grep -c 'launched 2 times$' "$tmp/gpu/logs-bench/profile")" -eq 3 ]
check "the record has it" record bench 'Section: GPU Speed Of Light'
for section in SpeedOfLight MemoryWorkloadAnalysis WarpStateStats Occupancy LaunchStats; do
  check "section $section" [ "$(grep -cx $section "$tmp/asked")" -eq 3 ]
done
check "clocks are left alone" [ "$(grep -cx -e --clock-control "$tmp/asked")" -eq 3 ]

# Which passes: of numbers made up, by cuDNN where it ran, else by the larger floor.
line() { # layer, arithmetic, bytes, native, cudnn
  printf '{"who": "pass", "layer": "%s", "pass": "forward", "precision": "%s", "batch": 1, "arithmetic_us": %s, "bytes_us": %s, ' "$1" "${6:-bf16}" "$2" "$3"
  printf '"native": "", "native_us": %s, "cudnn_us": %s}\n' "$4" "$5"
}
order() { sed -n 's,^  \(.*\)/forward/.* times.*,\1,p' "$tmp/gpu/logs-bench/profile" | tr '\n' ' '; }
{ line a 10 20 100 null; line b 50 1 100 null; line c 10 1 90 null; line d 1 90 100 null; line e 1 1 1000 null tf32; } >"$tmp/numbers"
pretend gpu_bench 'echo launched'
with NUMBERS=$tmp/numbers run 0 bench.sh profile
check "by the floor: $(order)" [ "$(order)" = "c a b " ]
{ line f 50 1 100 80; line g 50 1 100 50; line h 50 1 100 20; line i 50 1 100 99; } >>"$tmp/numbers"
with NUMBERS=$tmp/numbers run 0 bench.sh profile
check "by cuDNN: $(order)" [ "$(order)" = "h g f " ]
with NUMBERS=$tmp/asked run 0 bench.sh profile
check "without numbers" grep -q '^left out: no pass' "$tmp/gpu/logs-bench/profile"
pretend gpu_bench 'exit 2'
with NUMBERS=$tmp/numbers run 1 bench.sh profile
check "a pass that cannot be run" record bench 'FAILED'
pretend gpu_bench 'echo "==ERROR== ERR_NVGPUCTRPERM"; exit 1'
with NUMBERS=$tmp/numbers run 0 bench.sh profile
check "counters that are kept from us" grep -q "^left out: the driver keeps" "$tmp/gpu/logs-bench/profile"

# Floors, by hand: 32 x 150 x 150 x 3 x 64 x 9 products; 2 bytes of 32 x 150 x 150 x (3 + 64) values and of 3 x 64 x 9. At batch 128 with a
# gradient in f32: 128 x 81 x 512 x 512 x 9 products, 2 x 128 x 81 x 1024 + 4 x 512 x 512 x 9 bytes. And all products of thirteen layers.
UM_CUDA_HOST_DEVICES=0 "$build/tests/cuda_host/gpu_bench" --floors >"$tmp/out" 2>&1
check "floors without a device" [ $? -eq 0 ]
check "products and bytes of a forward pass" says '^| block1_conv1 | 1 | 150 | 3 to 64 | forward | 1.244 | 96.48 | 13 |$'
check "of a gradient of weights" says '^| block5_conv1 | 3 | 9 | 512 to 512 | backward weights | 24.461 | 30.67 | 798 |$'
all=$(awk 'BEGIN {
  n = split("150 3 64 150 64 64 75 64 128 75 128 128 37 128 256 37 256 256 37 256 256 18 256 512 18 512 512 18 512 512 9 512 512 9 512 512 9 512 512", l, " ")
  for (i = 1; i <= n; i += 3) sum += (i == 1 ? 2 : 3) * 32 * l[i] * l[i] * l[i + 1] * l[i + 2] * 9
  printf "%.3f", sum / 1e9 }')
check "of all 38 passes: $all" says "^| all | | | | 38 passes | $all |"

echo "[  PASSED  ] $passed test(s)."
[ $failed -eq 0 ] || { echo "[  FAILED  ] $failed test(s)"; exit 1; }
