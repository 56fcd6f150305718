# For test.sh and bench.sh: where libraries are, steps under a time limit, the record. Read by `. lib.sh` with $dir (the programs' folder),
# $here (this folder) and $kind (test or bench) set.

export LC_ALL=C PYTHONUNBUFFERED=1
PYTHON=${PYTHON:-python3}

# cuDNN and cuBLAS of the Python packages, where the system has none.
found=$("$PYTHON" - 2>/dev/null <<'END'
import glob, os
try:
    import nvidia
    paths = list(nvidia.__path__)
except ImportError:
    paths = []
print(":".join(sorted({d for p in paths for d in glob.glob(os.path.join(p, "*", "lib")) if glob.glob(os.path.join(d, "lib*.so*"))})))
END
) || found=
for d in /usr/local/cuda/lib64 /usr/local/cuda/lib; do [ -d "$d" ] && found=$found${found:+:}$d; done
LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$found${found:+:}$(cd "$dir" && pwd)/lib
export LD_LIBRARY_PATH

# No GPU: one line, in the driver's words. (train.sh can be asked for another device.)
case ${DEVICE:-cuda} in
cuda*)
  device=$("$dir/gpu_info" 2>"$dir/no-gpu") || { cat "$dir/no-gpu" >&2; exit 1; }
  name=$("$dir/gpu_info" name 2>/dev/null)
  ;;
*) device="device $DEVICE: no GPU was asked for" name=$DEVICE ;;
esac
if [ -s "$here/../COMMIT" ]; then
  commit=$(cat "$here/../COMMIT") # what pack.sh packed
elif commit=$(git -C "$here" rev-parse --short=12 HEAD 2>/dev/null); then
  [ -z "$(git -C "$here" status --porcelain --untracked-files=no 2>/dev/null)" ] || commit="$commit and changes"
else
  commit=${COMMIT:-unknown}
fi

# The record: RECORD=DIR, else docs/gpu beside the sources, else the programs' folder.
folder=${RECORD:-$here/../../docs/gpu}
[ -d "$folder" ] || folder=$dir
date=$(date -u +%Y-%m-%d)
record=$folder/$date-$name-$kind
n=2
while [ -e "$record.md" ]; do record=$folder/$date-$name-$kind-$n; n=$((n + 1)); done
logs=$dir/logs-$kind
rm -rf "$logs"
mkdir -p "$logs"

# wanted STEP: whether the command line (in $steps) names it, or nothing.
wanted() { case " ${steps:-$1} " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

failed=0 late=0
begun=$(date +%s)
: >"$logs/table"

# step NAME SECONDS COMMAND...: its output goes to $logs/NAME, a line to the table; the status is the command's. FACTOR multiplies the limits.
# BUDGET=SECONDS ends it all in time, where a machine is lent for so long: a step for which no time is left, or too little, counts as late.
step() {
  what=$1 limit=$(($2 * ${FACTOR:-1})) cut=
  shift 2
  begin=$(date +%s)
  if [ -n "$BUDGET" ]; then
    left=$((begun + BUDGET - begin - 15)) # the record wants some, too, and what is killed may take ten
    if [ $left -lt 15 ]; then
      late=$((late + 1))
      left_out "$what" "no time left"
      return 0
    fi
    [ $left -ge $limit ] || limit=$left cut=yes
  fi
  timeout -k 10 "$limit" "$@" >"$logs/$what" 2>&1 && status=0 || status=$?
  took=$(($(date +%s) - begin))
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$logs/$what" | awk '{n += $1} END {print n + 0}')
  wrong=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$logs/$what" | awk '{n += $1} END {print n + 0}')
  left=$(grep -c '^left out:' "$logs/$what")
  verdict=passed
  [ $status -eq 0 ] || verdict="FAILED (status $status)"
  [ $status -ne 124 ] && [ $status -ne 137 ] || verdict="FAILED (over its $limit s)"
  if [ -n "$cut" ] && { [ $status -eq 124 ] || [ $status -eq 137 ]; }; then
    verdict="cut short: no time left"
    late=$((late + 1))
  elif [ $status -ne 0 ]; then
    failed=$((failed + 1))
  fi
  line=$(printf '| %-22s | %-22s | %5s | %5s | %5s | %5s |' "$what" "$verdict" "$passed" "$wrong" "$left" "$took")
  echo "$line" | tee -a "$logs/table"
  if [ $status -ne 0 ]; then sed 's/^/    /' "$logs/$what" | tail -n 40; fi
  return $status
}

left_out() { printf '| %-22s | %-22s | %5s | %5s | %5s | %5s |\n' "$1" "left out: $2" "" "" "" "" | tee -a "$logs/table"; }

heading() {
  printf '| %-22s | %-22s | %5s | %5s | %5s | %5s |\n' step result "ok" "not" "left" "s"
  printf '|---|---|---|---|---|---|\n'
}

# What it all came to, in a line.
result() {
  if [ $failed -ne 0 ]; then
    echo "$failed steps FAILED."
  elif [ $late -ne 0 ]; then
    echo "No step failed, but $late had no time to end: name them in another call."
  else
    echo "All steps passed."
  fi
}

# All that was printed into the record's .txt; says where the record is. The status is that of all steps together.
end_record() {
  for f in "$logs"/*; do
    [ -f "$f" ] && [ "$(basename "$f")" != table ] || continue
    printf '==== %s ====\n' "$(basename "$f")"
    cat "$f"
  done >"$record.txt"
  echo "$(result) The record is $record.md"
  [ $((failed + late)) -eq 0 ]
}

# The head of a record on stdout.
head_of() {
  echo "# $1"
  echo
  printf '%s\n' "$device" | sed 's/^\([A-Za-z]*\) */- \1: /'
  echo "- date: $(date -u '+%Y-%m-%d %H:%M') UTC"
  echo "- commit: $commit"
  echo "- command: $2"
  command -v nvidia-smi >/dev/null 2>&1 &&
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,temperature.gpu,power.draw --format=csv,noheader 2>/dev/null | sed 's/^/- nvidia-smi: /'
  echo
}
