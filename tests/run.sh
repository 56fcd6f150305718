#!/bin/sh
# Runs every test program of BUILD/tests and adds up what cmocka prints; the last line is "N passed, N failed".
# A program that dies counts as one failure. Usage: run.sh BUILD BIN
build=$1
UM_BIN=$(cd "$2" && pwd); export UM_BIN
UM_TMP=$(mktemp -d); export UM_TMP
trap 'rm -rf "$UM_TMP"' EXIT
passed=0 failed=0 skipped=0
for source in tests/test_*.c tests/checkops.c; do
  [ -e "$source" ] || continue
  name=$(basename "$source" .c)
  log=$UM_TMP/$name.log
  start=$(date +%s)
  "$build/tests/$name" >"$log" 2>&1
  status=$?
  p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  printf '%-24s %4d passed, %d failed, %d skipped  (%d s)\n' "$name" "$p" "$f" "$s" $(($(date +%s) - start))
  if [ "$f" -ne 0 ]; then sed 's/^/    /' "$log" | tail -n 60; fi
  grep -h '^skipped:' "$log" | sed 's/^/    /'
done
[ "$skipped" -eq 0 ] || echo "$skipped skipped (real pictures and clips that are not on this machine)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
