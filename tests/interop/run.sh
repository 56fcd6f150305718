#!/bin/sh
# make interop: sh tests/interop/run.sh BUILD BIN. The real Keras, PyTorch and onnxruntime open what export writes of a trained model, and
# what they wrote is opened here: every tests/interop/check_*.py in turn, called with BUILD/interop and BIN. Their environment is made
# once in BUILD/interop/env from requirements.txt; INTEROP_PYTHON names one that is there already, INTEROP_ONLY picks checks ("onnx torch").
# What they share: BUILD/interop/pictures/test (50 pictures), BUILD/interop/model.safetensors and caffe.safetensors (models trained on
# others like them, which differ in preprocessing). A check prints lines for people and "N passed, N failed" last; so does this.
build=${1:?usage: run.sh BUILD BIN} bin=${2:?usage: run.sh BUILD BIN}
dir=$build/interop
here=tests/interop
passed=0 failed=0
mkdir -p "$dir"

python=${INTEROP_PYTHON:-}
if [ -z "$python" ]; then
  python=$dir/env/bin/python
  if ! cmp -s $here/requirements.txt "$dir/env/made-from"; then
    echo "interop: an environment with what $here/requirements.txt names, in $dir/env"
    python3 -m venv "$dir/env" && "$python" -m pip -q install -r $here/requirements.txt &&
      cp $here/requirements.txt "$dir/env/made-from" || { echo "interop: no Python environment"; echo "0 passed, 1 failed"; exit 1; }
  fi
fi

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
  "$python" "$script" "$dir" "$bin" >"$log" 2>&1
  status=$?
  line=$(tail -n 1 "$log")
  p=$(echo "$line" | sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p') f=$(echo "$line" | sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p')
  if [ -z "$p" ] || [ $status -gt 1 ]; then p=0 f=1; fi
  cat "$log"
  echo "-- $name: $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
done

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
