#!/bin/sh
# make demo: the whole job on drawn clips. Makes them, cuts faces, trains, scores clips of people that training never saw.
# Usage: demo.sh BIN. DEMO (folder, default demo), DEMO_SEED, DEMO_TRAIN and DEMO_TEST (clips) may be set in the environment.
set -e
exec 3>&1
bin=$1
out=${DEMO:-demo}
seed=${DEMO_SEED:-1}
config=configs/demo.json
start=$(date +%s)
if [ -z "$bin" ] || [ ! -x "$bin/train" ]; then
  echo "usage: sh tools/demo.sh BIN (the folder of the programs; make demo does it all)" >&2
  exit 2
fi
mkdir -p "$out"

step() { printf '\n== %s\n' "$*"; }
# A line before each command, so that it can be typed again.
run() { printf '$ %s\n' "$*" >&3; "$@"; }
# As run, but inputs that could not be read (3) do not end the demo: they are named.
run_through() { rc=0; run "$@" || rc=$?; [ "$rc" -eq 0 ] || [ "$rc" -eq 3 ] || exit "$rc"; }

cat <<EOF
This is a demonstration on synthetic clips: every person in them is drawn by
bin/demo_clips, nobody was filmed. What is learned here says how well the drawn
fakes can be told, and nothing about real deepfakes. Everything goes into $out/.
EOF

step "Clips: talking heads, half of them fake; training and held-out people differ"
rm -rf "$out/clips" "$out/faces" "$out/run" "$out/report"
run "$bin/demo_clips" --out "$out/clips" --train "${DEMO_TRAIN:-64}" --test "${DEMO_TEST:-24}" --seconds 2.5 --seed "$seed" --stills "$out/stills"

step "Faces of the training clips"
run_through "$bin/extract" --detector haar --fps 4 --labels "$out/clips/train/metadata.json" --out "$out/faces" --quiet "$out/clips/train" >"$out/extract.txt"
tail -n 1 "$out/extract.txt"

step "Weights to start from"
pretrained=no
if "$bin/weights" list | grep -A 4 '^imagenet/vgg16' | grep -q 'here  *whole'; then
  pretrained=yes
else
  # The address is tried quickly first, so that a machine without network does not wait.
  url=$("$bin/weights" list | grep -A 4 '^imagenet/vgg16' | sed -n 's/^  url *//p')
  if curl -sfI --connect-timeout 5 --max-time 10 "$url" >/dev/null 2>&1 && timeout 180 "$bin/weights" fetch imagenet/vgg16; then pretrained=yes; fi
fi
if [ "$pretrained" = yes ]; then
  echo "ImageNet weights of VGG16 are here: training starts from them."
  set --
else
  echo "ImageNet weights are not here and cannot be fetched (make weights tries again):"
  echo "training starts from random weights."
  set -- --set model.weights=null
fi

step "Training: VGG16 on $(find "$out/faces" -name '*.png' | wc -l) faces"
run "$bin/train" --config $config --set data.train_dir="$out/faces" "$@" --out "$out/run"

step "Verdicts on the held-out clips (score: probability of fake)"
run_through "$bin/infer" --model "$out/run/best.safetensors" --labels "$out/clips/heldout/metadata.json" --json "$out/results.json" \
  --csv "$out/results.csv" --report "$out/report" --report-details 6 "$out/clips/heldout"

spent=$(($(date +%s) - start))
cat <<EOF

Done in $((spent / 60)) min $((spent % 60)) s. The clips are synthetic: these numbers are about drawn fakes.
To look at:
  $out/clips/heldout/           the clips, and metadata.json that says which are fake
  $out/stills/                  a frame of each
  $out/faces/{fake,real}/       the faces that it learned from; beside them manifest.csv,
                                ledger.csv and contact_sheet.jpg
  $out/run/augmented.png        a batch as the model saw it
  $out/run/history.svg, .png    loss and accuracy, epoch by epoch
  $out/run/best.safetensors     the model
  $out/results.json, .csv       the verdicts above, face by face
  $out/report/index.html        the same as a page: open it in a browser
The same commands work on your own videos: see README.md.
EOF
