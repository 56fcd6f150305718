#!/bin/sh
# For pack.sh, which it comes after: DIR-train.tar.gz, with train and infer (DIR/bin), all that they need on a machine with a driver, and
# train.sh. It is whole without DIR.tar.gz and unpacks into the same folder. Usage: train_pack.sh DIR
#
# The libraries of these two have a folder of their own, which they find by themselves: no other program that the scripts start (Python,
# PyTorch) is to meet our OpenSSL or zlib by way of LD_LIBRARY_PATH.
#
# There: tar xzf gpu-train.tar.gz && sh gpu/run/train.sh gpu FACES
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

name=$(basename "$dir")
tar -C "$(dirname "$dir")" -czf "$dir-train.tar.gz" "$name/bin" "$name/lib" "$name/run" "$name/configs" "$name/COMMIT" "$name/gpu_info"
echo "$dir-train.tar.gz: $(($(wc -c <"$dir-train.tar.gz") / 1048576)) MiB"
