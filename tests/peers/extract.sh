#!/bin/sh
# extract against the same written with OpenCV (extract_opencv.py), in turn; prints both times and their ratio, the best of N rounds.
# Usage: tests/peers/extract.sh [ROUNDS] VIDEO...   (default: 3 rounds over ../shared/data/clips)
rounds=3
case $1 in [0-9]|[0-9][0-9]) rounds=$1; shift ;; esac
[ $# -gt 0 ] || set -- ../shared/data/clips/*/*.mp4
[ -e "$1" ] || { echo "skipped: extract against OpenCV, no videos given and ../shared/data is not here"; exit 0; }
/usr/bin/python3 -c 'import cv2' 2>/dev/null || { echo "skipped: extract against OpenCV, python3-opencv is not installed"; exit 0; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
seconds() { # of the command: wall clock, then processor time of it and its children
  /usr/bin/python3 -c 'import os, subprocess, sys, time
t = time.time()
subprocess.run(sys.argv[2:], check=True, stdout=open(sys.argv[1], "w"), stderr=subprocess.DEVNULL)
c = os.times()
print("%.3f %.3f" % (time.time() - t, c.children_user + c.children_system))' "$@"
}
i=0
while [ $i -lt "$rounds" ]; do
  rm -rf "$tmp/ours" "$tmp/theirs"
  ours=$(seconds "$tmp/ours.log" "${UM_BIN:-bin}/extract" --quiet --detector haar-strict --label fake --out "$tmp/ours" "$@") || exit 1
  theirs=$(seconds "$tmp/theirs.log" /usr/bin/python3 "$(dirname "$0")/extract_opencv.py" "$tmp/theirs" "$@") || exit 1
  echo "round $i: extract $ours s (wall, processor), OpenCV $theirs s"
  echo "$ours $theirs" >>"$tmp/times"
  i=$((i + 1))
done
echo "extract: $(tail -n 1 "$tmp/ours.log"); OpenCV: $(cat "$tmp/theirs.log")"
awk 'NR == 1 || $1 < a {a = $1} NR == 1 || $2 < b {b = $2} NR == 1 || $3 < c {c = $3} NR == 1 || $4 < d {d = $4}
  END {printf "best of %d: extract %.2f s, OpenCV %.2f s: %.2f times as fast (processor time %.2f and %.2f s: %.2f)\n", NR, a, c, c / a, b, d, d / b}' "$tmp/times"
