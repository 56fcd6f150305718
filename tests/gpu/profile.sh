#!/bin/sh
# The slowest of our convolution passes under Nsight Compute. Usage: profile.sh DIR NUMBERS [COUNT]
#
# NUMBERS: what gpu_bench's step layers wrote (--json). Of its passes in bf16 (PRECISION=...: another) the COUNT (3) are taken whose native
# time is the largest multiple of cuDNN's; where cuDNN ran for none, of the larger of the two floors. Each is launched twice by gpu_bench
# --only, and what ncu says of its kernels is printed. The clocks are left as they are, so times are those of the profiler's replays and
# say nothing beside gpu_bench's. NCU=/path/to/ncu where it is not found. Left out, and said, with status 0: without ncu, without numbers,
# where the driver keeps its counters from us. Status 1: a pass could not be run or looked at.
dir=${1:?usage: profile.sh DIR NUMBERS [COUNT]}
numbers=${2:?usage: profile.sh DIR NUMBERS [COUNT]}
count=${3:-3}
precision=${PRECISION:-bf16}

ncu=${NCU:-$(command -v ncu || ls -d /usr/local/cuda/bin/ncu /opt/nvidia/nsight-compute/*/ncu 2>/dev/null | tail -n 1)}
command -v "$ncu" >/dev/null 2>&1 || { echo "left out: no ncu (Nsight Compute); NCU=/path/to/ncu names one"; exit 0; }

# Lines of JSON, one pass each, as "multiple | of what | layer/pass/precision/way | batch | us".
slowest() {
  awk -v precision="$precision" '
    function value(key,   at, rest) {
      at = index($0, "\"" key "\": ")
      rest = substr($0, at + length(key) + 4)
      if (substr(rest, 1, 1) == "\"") { rest = substr(rest, 2); return substr(rest, 1, index(rest, "\"") - 1) }
      sub(/[,}].*/, "", rest)
      return rest
    }
    index($0, "\"who\": \"pass\"") && value("precision") == precision {
      arithmetic = value("arithmetic_us") + 0; bytes = value("bytes_us") + 0; native = value("native_us") + 0; vendor = value("cudnn_us")
      pass = value("layer") "/" value("pass") "/" precision "/" value("native")
      floor = arithmetic > bytes ? arithmetic : bytes
      if (vendor != "null" && vendor + 0 > 0) by_vendor[++v] = sprintf("%.4f|cuDNN|%s|%d|%.1f", native / vendor, pass, value("batch"), native)
      if (floor > 0) by_floor[++f] = sprintf("%.4f|its floor|%s|%d|%.1f", native / floor, pass, value("batch"), native)
    }
    END { if (v) for (i = 1; i <= v; i++) print by_vendor[i]; else for (i = 1; i <= f; i++) print by_floor[i] }' "$numbers" |
    sort -t '|' -k1,1nr | head -n "$count"
}

chosen=$(slowest)
[ -n "$chosen" ] || { echo "left out: no pass in $precision among the numbers in $numbers; run the step layers first, or NUMBERS=FILE"; exit 0; }
echo "The slowest of our passes in $precision:"
echo "$chosen" | while IFS='|' read -r times of pass batch us; do
  echo "  $pass, batch $batch: $us us, $times times $of"
done

"$ncu" --version 2>/dev/null | tail -n 1
bad=0
while IFS='|' read -r times of pass batch us; do
  printf '\n---- %s, batch %s: %s times %s ----\n' "$pass" "$batch" "$times" "$of"
  out=$("$ncu" --clock-control none --section SpeedOfLight --section MemoryWorkloadAnalysis --section WarpStateStats --section Occupancy \
    --section LaunchStats "$dir/gpu_bench" --batch "$batch" --steps 2 --only "$pass" 2>&1) && status=0 || status=$?
  case $out in
  *ERR_NVGPUCTRPERM*)
    echo "left out: the driver keeps the GPU's counters from this user (ERR_NVGPUCTRPERM)"
    exit 0
    ;;
  esac
  printf '%s\n' "$out" | grep -v '^==PROF==' | cut -c1-200
  # Without a section there was nothing to profile, whatever the status.
  if [ $status -ne 0 ] || ! printf '%s\n' "$out" | grep -q '^ *Section: '; then
    echo "FAILED: $pass: ncu ended with $status"
    bad=1
  fi
done <<END
$chosen
END
exit $bad
