# For check_scripts.sh and check_train.sh: a folder for the test's files in $tmp, where what was said is `out`, and checks that are counted.
# Read by `. checks.sh`.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

check() { # what, then a command that must succeed
  name=$1
  shift
  if "$@"; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "FAILED: $name: $*"
    tail -n 15 "$tmp/out" 2>/dev/null | sed 's/^/    /'
  fi
}
says() { grep -q -e "$1" "$tmp/out"; }
