#!/bin/sh
# Runs the fuzz targets of BUILD/fuzz, two at a time, each for so many seconds from its corpus (tests/fuzz/corpus/NAME) on. A line a target,
# then the count as cmocka prints it; exit status 1 where one crashed, leaked, took 10 s over an input, asked for more than 1 GB at once or
# held more than 2 GB. Such an input is kept in BUILD/fuzz/found/ and named; BUILD/fuzz/fuzz_NAME FILE runs it again. Inputs that
# reached something new: below a minute they are forgotten, else they lie in BUILD/fuzz/work/NAME, where the next such run begins.
# A process apart (weights/apart.c) may die of its library; a sanitizer's report from there counts where the code is our own.
# Usage: run.sh BUILD SECONDS [NAME...]; UM_FUZZ_SECONDS, where set, takes the place of SECONDS, UM_FUZZ_SEED that of 1.
if [ "$1" = --one ]; then # of the loop below: program
  name=$(basename "$2") log=$UM_FUZZ_TMP/$(basename "$2").log
  short=${name#fuzz_}
  work=$UM_FUZZ_TMP/$short TMPDIR=$UM_FUZZ_TMP
  [ "$UM_FUZZ_SECONDS" -ge 60 ] && work=$UM_FUZZ_OUT/work/$short
  mkdir -p "$work" "$UM_FUZZ_TMP/found-$short"
  set -- "$2" "$work"
  [ -d "tests/fuzz/corpus/$short" ] && set -- "$@" "tests/fuzz/corpus/$short"
  found=$UM_FUZZ_TMP/found-$short report=$UM_FUZZ_TMP/$name.report
  ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:log_path=$report UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1:log_path=$report
  export TMPDIR ASAN_OPTIONS UBSAN_OPTIONS
  dict=; [ -e "tests/fuzz/$short.dict" ] && dict=-dict=tests/fuzz/$short.dict
  timeout=10 # of the clock; a process apart has seconds of the processor (UM_HDF5_SECONDS), which take longer on a busy machine
  case $short in keras_h5 | keras_zip) timeout=120 ;; esac
  start=$(date +%s)
  program=$1 files=$(find "$@" -type f -path '*corpus*' | wc -l)
  shift
  nice -n 19 "$program" -max_total_time="$UM_FUZZ_SECONDS" -seed="${UM_FUZZ_SEED:-1}" -timeout=$timeout -rss_limit_mb=2048 -malloc_limit_mb=1024 \
    -artifact_prefix="$found/$short-" -print_final_stats=1 -verbosity=1 $dict "$@" >"$log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(sed -n 's/.* cov: \([0-9]*\) .*/, \1 edges/p' "$log" | tail -n 1)
  for r in "$report".*; do # whose first frame with a name is not HDF5's but has a line of ours
    [ -e "$r" ] && awk '/^ *#[0-9]+ /&&/libhdf5/ {exit} /^ *#[0-9]+ .*(core|data|weights)\/[a-z0-9_]+\.[ch]:[0-9]/ {print FILENAME; exit}' "$r"
  done >"$report"
  [ "$status" -eq 0 ] || ls -t "$report".* 2>/dev/null | head -n 1 >>"$report"
  [ -s "$report" ] && status=1
  if [ "$status" -eq 0 ]; then verdict=clean; else verdict=FAILED; echo "$name" >>"$UM_FUZZ_TMP/failed"; fi
  echo "$name" >>"$UM_FUZZ_TMP/ran"
  {
    printf '%-28s %s  (%d files, %s runs%s, %d s)\n' "$name" "$verdict" "$files" "${runs:-?}" "$covered" $(($(date +%s) - start))
    if [ "$status" -ne 0 ]; then
      { grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|INITED|RELOAD)' "$log" | tail -n 40; sort -u "$report" | xargs -r cat | head -n 100; } | sed 's/^/    /'
      for f in "$found"/*; do
        [ -e "$f" ] && mv "$f" "$UM_FUZZ_OUT/found/" && echo "    kept: $UM_FUZZ_OUT/found/$(basename "$f")"
      done
    fi
  } >"$log.out"
  cat "$log.out"
  exit 0
fi
build=$1 UM_FUZZ_SECONDS=${UM_FUZZ_SECONDS:-$2} UM_FUZZ_OUT=$1/fuzz
shift 2
UM_FUZZ_TMP=$(mktemp -d)
trap 'rm -rf "$UM_FUZZ_TMP"' EXIT
export UM_FUZZ_SECONDS UM_FUZZ_OUT UM_FUZZ_TMP
mkdir -p "$UM_FUZZ_OUT/found"
: >"$UM_FUZZ_TMP/ran"; : >"$UM_FUZZ_TMP/failed"
if [ $# -eq 0 ]; then
  for source in tests/fuzz/fuzz_*.c; do set -- "$@" "$(basename "$source" .c)"; done
fi
for name; do
  printf '%s\0' "$build/fuzz/$name"
done | xargs -0 -P 2 -n 1 sh "$0" --one
ran=$(wc -l <"$UM_FUZZ_TMP/ran") failed=$(wc -l <"$UM_FUZZ_TMP/failed")
failed=$((failed + $# - ran)) # what could not even start
echo "[  PASSED  ] $(($# - failed)) test(s)."
[ "$failed" -eq 0 ] || { echo "[  FAILED  ] $failed test(s)"; exit 1; }
