#!/bin/sh
# extract against the same written with OpenCV (extract_opencv.py), in turn; prints both times and their ratio, medians of N rounds.
# Usage: tests/peers/extract.sh [ROUNDS] VIDEO...   (default: 5 rounds over ../shared/data/clips)
rounds=5
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
  ours=$(seconds "$tmp/ours.log" "${UM_BIN:-bin}/extract" --quiet --detector haar-strict --no-contact-sheet --label fake --out "$tmp/ours" "$@") || exit 1
  theirs=$(seconds "$tmp/theirs.log" /usr/bin/python3 "$(dirname "$0")/extract_opencv.py" "$tmp/theirs" "$@") || exit 1
  echo "round $i: extract $ours s (wall, processor), OpenCV $theirs s"
  echo "$ours $theirs" >>"$tmp/times"
  i=$((i + 1))
done
echo "extract: $(tail -n 1 "$tmp/ours.log"); OpenCV: $(cat "$tmp/theirs.log")"
median() { cut -d' ' -f "$1" "$tmp/times" | sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
echo "$rounds $(median 1) $(median 2) $(median 3) $(median 4)" |
  awk '{printf "medians of %d: extract %.2f s, OpenCV %.2f s: %.2f times as fast (processor time %.2f and %.2f s: %.2f)\n", $1, $2, $4, $4 / $2, $3, $5, $5 / $3}'
