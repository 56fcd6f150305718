#!/bin/sh
# A folder in parts of a size that can be carried, and whole again elsewhere.
#
#   parts.sh split FOLDER OUT [MIB]   tar files OUT/NAME.1-of-N.tar ... of at most MIB (default 60) MiB
#   parts.sh join FOLDER PART...      unpacks parts into FOLDER, all at once or in several calls, in any order; status 3 as long as
#                                     some are missing
set -e
usage() { sed -n 's/^# \{0,1\}//; 2,7p' "$0" >&2; exit 2; }

split() {
  from=${1%/} out=$2 limit=$((${3:-60} * 1048576))
  [ -d "$from" ] || { echo "parts.sh: $from: no such folder" >&2; exit 1; }
  mkdir -p "$out"
  list=$(mktemp -d)
  trap 'rm -rf "$list"' EXIT
  # Of a file in a tar: a header of 512 bytes, one more with a block for a name above 100, and its bytes to the next 512; 10240 end it.
  (cd "$from" && find . -type f ! -name '.part-*' -printf '%s %p\n') | LC_ALL=C sort -k 2 | awk -v limit="$limit" -v list="$list" '
    BEGIN { part = 1; used = 20480 }
    { name = substr($0, length($1) + 2); size = 512 + int(($1 + 511) / 512) * 512 + (length(name) > 100 ? 1536 : 0)
      if (20480 + size > limit) { print name " is larger than a part" > "/dev/stderr"; exit 1 }
      if (used + size > limit) { part++; used = 20480 }
      used += size; print name > (list "/" part) }'
  n=$(ls "$list" | wc -l)
  [ "$n" -gt 0 ] || { echo "parts.sh: $from: no files in it" >&2; exit 1; }
  for i in $(seq "$n"); do
    part=$out/$(basename "$from").$i-of-$n.tar
    tar -C "$from" --owner=0 --group=0 --no-recursion -T "$list/$i" -cf "$part"
    echo "$part: $(wc -l <"$list/$i") files, $(($(wc -c <"$part") / 1048576)) MiB"
  done
}

join() {
  into=$1
  shift
  mkdir -p "$into"
  for part in "$@"; do
    which=$(basename "$part" | sed -n 's/.*\.\([0-9]*-of-[0-9]*\)\.tar$/\1/p')
    [ -n "$which" ] || { echo "parts.sh: $part: expected a name that ends in .I-of-N.tar" >&2; exit 1; }
    tar -C "$into" -xf "$part"
    : >"$into/.part-$which"
  done
  n=${which#*-of-} missing=
  for i in $(seq "$n"); do [ -e "$into/.part-$i-of-$n" ] || missing="$missing $i"; done
  [ -z "$missing" ] || { echo "parts.sh: $into: of $n parts there is not yet:$missing" >&2; exit 3; }
  echo "$into: $(find "$into" -type f ! -name '.part-*' | wc -l) files"
}

case $1 in
split) [ $# -ge 3 ] && [ $# -le 4 ] || usage; shift; split "$@" ;;
join) [ $# -ge 3 ] || usage; shift; join "$@" ;;
*) usage ;;
esac
