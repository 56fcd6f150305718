#!/bin/sh
# make gpu-pack: DIR (build/gpu) with all that another machine with a GPU needs to run test.sh and bench.sh: the programs, the scripts,
# and in lib/ the shared libraries that a bare machine lacks (oneDNN, cJSON and what they want; CUDA's own are never packed). Then
# DIR.tar.gz, to be carried. Usage: pack.sh DIR
#
# There: tar xzf gpu.tar.gz && sh gpu/run/test.sh gpu && sh gpu/run/bench.sh gpu
set -e
dir=${1:?usage: pack.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$dir/lib" "$dir/run"
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

name=$(basename "$dir")
tar -C "$(dirname "$dir")" -czf "$dir.tar.gz" --exclude="$name/obj" --exclude="$name/logs-*" --exclude="$name/no-gpu" "$name"
ls -l "$dir/lib" | awk 'NR > 1 {printf "  %9d %s\n", $5, $9}'
echo "$dir.tar.gz: $(($(wc -c <"$dir.tar.gz") / 1048576)) MiB"
