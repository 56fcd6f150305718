#!/bin/sh
# make interop: sh tests/interop/run.sh BUILD BIN. The real Keras, PyTorch and onnxruntime open what export writes of a trained model, and
# what they wrote is opened here; Chromium opens the page of infer --report and draws its plots: every tests/interop/check_*.py in turn, called with
# BUILD/interop and BIN. Their environment is made
# once in BUILD/interop/env from requirements.txt (of check_NAME.py in env_NAME where there is a requirements_NAME.txt); INTEROP_PYTHON and
# INTEROP_PYTHON_NAME name some that are there already, INTEROP_ONLY picks checks ("onnx torch").
# What they share: BUILD/interop/pictures/test (50 pictures), BUILD/interop/model.safetensors and caffe.safetensors (models trained on
# others like them, which differ in preprocessing). A check prints lines for people and "N passed, N failed" last; so does this.
build=${1:?usage: run.sh BUILD BIN} bin=${2:?usage: run.sh BUILD BIN}
dir=$build/interop
here=tests/interop
passed=0 failed=0
mkdir -p "$dir"

# environment NAME FILE: python becomes that of BUILD/interop/NAME, made from FILE. False where it cannot be made.
environment() {
  python=$dir/$1/bin/python
  cmp -s "$2" "$dir/$1/made-from" && return
  echo "interop: an environment with what $2 names, in $dir/$1"
  python3 -m venv "$dir/$1" && "$python" -m pip -q install -r "$2" && cp "$2" "$dir/$1/made-from"
}
python=${INTEROP_PYTHON:-}
# INTEROP_MAY_SKIP=1: where an environment cannot be made (no network, say) its checks are left out, and that is said.
unmade=$([ -n "${INTEROP_MAY_SKIP:-}" ] && echo 0 || echo 1)
[ -n "$python" ] || environment env $here/requirements.txt ||
  { echo "skipped: interop: no Python environment could be made"; echo "0 passed, $unmade failed"; exit "$unmade"; }
shared=$python

# A model of each preprocessing; three epochs of a tiny one are enough for scores all over the range.
if [ ! -f "$dir/model.safetensors" ] || [ ! -f "$dir/caffe.safetensors" ]; then
  "$python" $here/pictures.py "$dir/pictures" 32 || { echo "0 passed, 1 failed"; exit 1; }
  for which in none caffe; do
    rm -rf "$dir/train"
    "$bin/train" --quiet --config $here/model.json --set "data.train_dir=$dir/pictures/train" --set "data.preprocessing=$which" \
      --out "$dir/train" --device cpu >"$dir/train.log" 2>&1 || { cat "$dir/train.log"; echo "0 passed, 1 failed"; exit 1; }
    if [ $which = none ]; then name=model; else name=caffe; fi
    cp "$dir/train/last.safetensors" "$dir/$name.safetensors"
  done
fi

for script in $here/check_*.py; do
  name=$(basename "$script" .py) name=${name#check_}
  case " ${INTEROP_ONLY:-$name} " in *" $name "*) ;; *) continue ;; esac
  log=$dir/$name.log
  # TensorFlow's dependencies and onnx's do not go together.
  eval "python=\${INTEROP_PYTHON_$name:-$shared}"
  if [ -f "$here/requirements_$name.txt" ] && [ -z "${INTEROP_PYTHON:-}" ] && [ "$python" = "$shared" ]; then
    environment "env_$name" "$here/requirements_$name.txt" ||
      { echo "skipped: $name: no Python environment could be made"; failed=$((failed + unmade)); continue; }
  fi
  "$python" "$script" "$dir" "$bin" >"$log" 2>&1
  status=$?
  line=$(tail -n 1 "$log")
  p=$(echo "$line" | sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p') f=$(echo "$line" | sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p')
  if [ -z "$p" ] || [ $status -gt 1 ]; then p=0 f=1; fi
  cat "$log"
  echo "-- $name: $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
done
python=$shared

# ONNX's own tests of the ops that we have.
case " ${INTEROP_ONLY:-onnx} " in *" onnx "*)
  make --no-print-directory -s BUILD="$build" BIN="$bin" "$build/tests/interop/onnx_node" && "$python" $here/onnx_nodes.py "$dir/nodes" &&
    "$build/tests/interop/onnx_node" "$dir/nodes" >"$dir/nodes.log"
  grep WRONG "$dir/nodes.log"
  line=$(tail -n 1 "$dir/nodes.log")
  echo "-- ONNX's node tests: $line"
  case $line in
  *" 0 wrong") passed=$((passed + ${line%% passed*})) ;;
  *) failed=$((failed + 1)) ;;
  esac
  ;;
esac
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
