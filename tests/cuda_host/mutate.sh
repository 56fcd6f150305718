#!/bin/sh
# Shows that the tests notice a barrier that is missing: leaves out one __syncthreads, __syncwarp or um_copy_wait of cuda/ at a time
# and runs test programs of the emulated device until one fails. A call that nobody misses, or that no test comes to, is a failure.
#
#   mutate.sh [--source] BUILD [FILE:LINE...]     default: every such call of cuda/
#
# Without --source the emulated device leaves the call out while it runs (UM_CUDA_HOST_SKIP), which needs no compiler; with it the
# call is taken out of a copy of the tree, which is built again (BUILD's objects are copied along; about half a minute a call).
source=
[ "$1" = --source ] && { source=yes; shift; }
build=$1
[ -x "$build/tests/cuda_host/checkops" ] || { echo "usage: mutate.sh [--source] BUILD [FILE:LINE...]" >&2; exit 2; }
shift
sites=$*
[ -n "$sites" ] || sites=$(grep -nE '(__syncthreads|__syncwarp|um_copy_wait<[^>]*>)\(\)' cuda/*.cu cuda/*.cuh | grep -v '^cuda/device' | cut -d: -f1,2)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
root=.
if [ -n "$source" ]; then
  root=$tmp/tree
  mkdir -p "$root/$build" && cp -a Makefile core cuda data tests weights "$root" && cp -a "$build/." "$root/$build" || exit 1
fi

# The programs, the likeliest first.
programs() {
  case $1 in
  cuda/dense*) echo dense ;;
  cuda/loss*) echo bce_logits test_steps ;;
  cuda/norms*) echo sum_squares ;;
  cuda/pool*) echo global_avg_pool avg_pool ;;
  cuda/transpose*) echo test_transpose ;;
  *) echo conv2d dense ;;
  esac
  echo test_steps test_layers test_ways
}

run() { # NAME: an op of checkops, or a program
  case $1 in
  test_*) (cd "$root" && timeout 300 "$build/tests/cuda_host/$1") ;;
  *) (cd "$root" && timeout 300 "$build/tests/cuda_host/checkops" --backend cuda "$1") ;;
  esac
}

caught=0 missed=0
for site in $sites; do
  file=${site%:*} line=${site##*:} by='' reached=0
  call=$(sed -n "${line}s/^ *\([A-Za-z_0-9]*\).*/\1/p" "$file")
  if [ -n "$source" ]; then
    sed -i "${line}s/\(__syncthreads\|__syncwarp\|um_copy_wait<[^>]*>\)();//" "$root/$file"
    targets="$build/tests/cuda_host/checkops $(for p in $(programs "$file"); do case $p in test_*) echo "$build/tests/cuda_host/$p" ;; esac; done)"
    # shellcheck disable=SC2086
    (cd "$root" && make -s CUDA=0 $targets) >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
  fi
  for name in $(programs "$file"); do
    if [ -n "$source" ]; then
      run "$name" >"$tmp/log" 2>&1 || { by=$name; break; }
    else
      UM_CUDA_HOST_SKIP=$file:$line run "$name" >"$tmp/log" 2>&1
      status=$? times=$(sed -n 's/.* was left out \([0-9]*\) times$/\1/p' "$tmp/log" | awk '{n += $1} END {print n + 0}')
      reached=$((reached + times))
      if [ "$status" -ne 0 ] && [ "$times" -gt 0 ]; then by=$name; break; fi
    fi
  done
  if [ -n "$source" ]; then cp -p "$file" "$root/$file" && touch "$root/$file"; fi
  if [ -n "$by" ]; then caught=$((caught + 1)) word="caught by $by"
  else missed=$((missed + 1)) word="MISSED$([ -n "$source" ] || echo " (left out $reached times)")"; fi
  printf '%-30s %-16s %s\n' "$file:$line" "$call" "$word"
done
echo "$caught caught, $missed missed"
[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
