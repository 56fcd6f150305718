#!/bin/sh
# make check: warnings are errors with gcc and clang, formatting, cppcheck, and the test suite under the address and
# undefined-behaviour sanitizers. Builds below build/check; prints a line a step; exit 1 at the first step that is not clean.
set -e
jobs=${JOBS:-2}
out=build/check
sources=$(git ls-files '*.c' '*.h' '*.cu' '*.cuh')
say() { printf '%-46s ' "$1"; }
need() { command -v "$1" >/dev/null 2>&1 || { echo "check: $1 is missing: apt-get install $2" >&2; exit 1; }; }
need clang clang; need clang-format clang-format; need cppcheck cppcheck
mkdir -p $out

for cc in gcc clang; do
  say "$cc, warnings are errors"
  make --no-print-directory -s -j"$jobs" CC=$cc WERROR=1 BUILD=$out/$cc BIN=$out/$cc/bin all test-programs >$out/$cc.log 2>&1 ||
    { echo no; cat $out/$cc.log; exit 1; }
  echo yes
done

say "clang-format"
clang-format --dry-run -Werror $sources >$out/format.log 2>&1 || { echo no; head -n 40 $out/format.log; exit 1; }
echo yes

say "cppcheck"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -I. -j "$jobs" \
  --suppress=missingIncludeSystem core cuda data faces plot weights train infer tools >$out/cppcheck.log 2>&1 || { echo no; cat $out/cppcheck.log; exit 1; }
echo yes

say "includes point one way"
sh tests/includes.sh >$out/includes.log 2>&1 || { echo no; cat $out/includes.log; exit 1; }
echo yes

echo "the test suite under -fsanitize=address,undefined"
exec make --no-print-directory -s -j"$jobs" CUDA=0 SAN=address,undefined BUILD=$out/san BIN=$out/san/bin run-tests
