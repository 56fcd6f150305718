#!/bin/sh
# Lists what unmask needs, a line a package, and installs what is missing (Debian 12, Ubuntu 24.04 and their kin), through sudo
# where not root. --quiet: prints nothing when all is there. --list: prints, installs nothing, exit 1 when something is missing.
# --interop: what make interop needs beside, quietly; Chromium on Debian alone, as Ubuntu's is a snap that a container cannot run.
mode=$1
packages="gcc g++ clang libclang-rt-dev make pkg-config curl ca-certificates libdnnl-dev libavformat-dev libavcodec-dev libavfilter-dev libavutil-dev libswscale-dev
libpng-dev libjpeg-dev libcjson-dev libexpat1-dev libhdf5-dev zlib1g-dev libcairo2-dev fonts-dejavu-core opencv-data libcmocka-dev"
if [ "$mode" = --interop ]; then
  mode=--quiet
  packages="python3 python3-venv python3-pip python3-torch python3-pil ffmpeg"
  grep -q '^ID=debian' /etc/os-release 2>/dev/null && packages="$packages chromium poppler-utils"
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
  [ "$mode" = --quiet ] && exit 0
  echo "deps: this is not a Debian system; install what corresponds to:" $packages
  exit 0
fi

missing=
lines=
for p in $packages; do
  v=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$p" 2>/dev/null)
  case $v in
    "installed "*) lines="$lines$(printf '  %-20s found %s' "$p" "${v#installed }")
" ;;
    *) lines="$lines$(printf '  %-20s missing' "$p")
"; missing="$missing $p" ;;
  esac
done
[ "$mode" = --quiet ] && [ -z "$missing" ] && exit 0
printf '%s' "$lines"
if [ -z "$missing" ]; then echo "deps: everything is here"; exit 0; fi
[ "$mode" = --list ] && exit 1

sudo=
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1; then sudo=sudo
  else echo "deps: not root and no sudo; as root run: apt-get install$missing" >&2; exit 1; fi
fi
echo "deps: installing$missing"
$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
  echo "deps: could not install; try: $sudo apt-get update && $sudo apt-get install$missing" >&2
  exit 1
}
echo "deps: done"
