#!/bin/sh
# For pack.sh: what DIR/bin/train and DIR/bin/infer need beside DIR/lib, and train.sh beside them. Usage: train_pack.sh DIR
#
# Their libraries have a folder of their own, which the two programs find by themselves: no other program that the scripts start (Python,
# PyTorch) is to meet our OpenSSL or zlib by way of LD_LIBRARY_PATH.
set -e
dir=${1:?usage: train_pack.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$dir/bin/lib" "$dir/configs"
mkdir -p "$dir/bin/lib" "$dir/configs"
cp "$here"/../../configs/*.json "$dir/configs/"
ldd "$dir/bin/train" "$dir/bin/infer" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -v -E '/(libc|libm|libdl|librt|libpthread|libresolv|libstdc\+\+|libgcc_s|ld-linux-x86-64)\.so' |
  while read -r f; do [ -e "$dir/lib/$(basename "$f")" ] || cp -L "$f" "$dir/bin/lib/"; done
for f in "$dir"/bin/lib/*.so*; do strip --strip-unneeded "$f" 2>/dev/null || true; done
