#!/bin/sh
# make gpu-pack: DIR (build/gpu) with all that another machine with a GPU needs to run test.sh and bench.sh: the programs, the scripts,
# and in lib/ the shared libraries that a bare machine lacks (oneDNN, cJSON and what they want; CUDA's own are never packed). Where they are
# there: MTCNN's weights, and a picture of each clip in the folder CLIPS (default ../shared/data/clips; ffmpeg makes it) to look for faces
# in. Then DIR.tar.gz, to be carried, and by train_pack.sh DIR-train.tar.gz. Usage: pack.sh DIR
#
# There: tar xzf gpu.tar.gz && sh gpu/run/test.sh gpu && sh gpu/run/bench.sh gpu
set -e
dir=${1:?usage: pack.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$dir/lib" "$dir/run" "$dir/weights" "$dir/frames"
mkdir -p "$dir/lib" "$dir/run"
cp "$here"/*.sh "$here"/*.py "$dir/run/"
git -C "$here" describe --always --dirty --abbrev=12 --exclude='*' >"$dir/COMMIT" 2>/dev/null || echo unknown >"$dir/COMMIT"
programs=$(find "$dir" -maxdepth 1 -type f -perm -100 | sort)
[ -n "$programs" ] || { echo "pack.sh: $dir: no programs there; make gpu-programs CUDA=1 first" >&2; exit 1; }

# What every system has is left out; what comes with the C compiler's run time is taken along.
for p in $programs; do ldd "$p"; done | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -v -E '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|ld-linux-x86-64)\.so' |
  while read -r f; do cp -L "$f" "$dir/lib/"; done
# A library looks for its own needs beside itself only if it says so; the programs' rpath does not count for those. LD_LIBRARY_PATH does.
for f in "$dir"/lib/*.so*; do strip --strip-unneeded "$f" 2>/dev/null || true; done

top=$here/../..
if ls "$top"/weights/cache/facenet_?net.pt >/dev/null 2>&1; then
  mkdir -p "$dir/weights"
  cp -L "$top/weights/manifest.json" "$top"/weights/cache/facenet_?net.pt "$dir/weights/"
else
  echo "pack.sh: weights/cache has no MTCNN: the step faces will be left out (bin/weights fetch mtcnn)"
fi
clips=$(find "${CLIPS:-$top/../shared/data/clips}/" -name '*.mp4' 2>/dev/null | sort | head -n 6)
if [ -n "$clips" ] && command -v ffmpeg >/dev/null 2>&1; then
  mkdir -p "$dir/frames"
  for clip in $clips; do
    ffmpeg -v error -nostdin -y -ss 1 -i "$clip" -frames:v 1 -vf "scale='min(960,iw)':-2" "$dir/frames/$(basename "$clip" .mp4).ppm" || true
  done
fi

name=$(basename "$dir")
tar -C "$(dirname "$dir")" -czf "$dir.tar.gz" --exclude="$name/obj" --exclude="$name/logs-*" --exclude="$name/no-gpu" --exclude="$name/bin" --exclude="$name/configs" \
  --exclude="$name/runs" --exclude="$name/cache" "$name"
ls -l "$dir/lib" | awk 'NR > 1 {printf "  %9d %s\n", $5, $9}'
echo "$dir.tar.gz: $(($(wc -c <"$dir.tar.gz") / 1048576)) MiB"
[ ! -x "$dir/bin/train" ] || sh "$here/train_pack.sh" "$dir"
