#!/usr/bin/python3
"""What extract does, written with OpenCV 4.6: extract_opencv.py OUT VIDEO...

Reads forward (grab for frames that are passed over, which skips their conversion), samples 2 frames a second by the filter fps=2's rule,
scales to fit 1000x1000, finds faces on the equalised grey picture, writes the largest one's square as PNG."""
import os
import sys

import cv2

CASCADE = cv2.CascadeClassifier("/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt.xml")


def sampled(video):
    """Frames as fps=2 takes them: of those whose time rounds to a tick, the last one."""
    rate, index = video.get(cv2.CAP_PROP_FPS), 0
    wanted, count = set(), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    for i in range(count):
        if int((i + 1) * 2 / rate + 0.5) != int(i * 2 / rate + 0.5):
            wanted.add(i)
    while video.grab():
        if index in wanted:
            ok, frame = video.retrieve()
            if ok:
                yield frame
        index += 1


def main():
    out, frames, faces = sys.argv[1], 0, 0
    os.makedirs(out, exist_ok=True)
    for path in sys.argv[2:]:
        video, stem = cv2.VideoCapture(path), os.path.splitext(os.path.basename(path))[0]
        for number, frame in enumerate(sampled(video)):
            frames += 1
            h, w = frame.shape[:2]
            scale = min(1000 / w, 1000 / h)
            frame = cv2.resize(frame, (int(w * scale + 0.5), int(h * scale + 0.5)), interpolation=cv2.INTER_AREA)
            grey = cv2.equalizeHist(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
            boxes = CASCADE.detectMultiScale(grey, 1.1, 2, cv2.CASCADE_SCALE_IMAGE, (30, 30))
            if len(boxes) == 0:
                continue
            x, y, w, h = max(boxes, key=lambda b: b[2] * b[3])
            r, cx, cy = round((w + h) / 4), round(x + w / 2), round(y + h / 2)
            crop = frame[max(cy - r, 0):cy + r + 1, max(cx - r, 0):cx + r + 1]
            cv2.imwrite(f"{out}/{stem}_{number:06d}.png", crop)
            faces += 1
    print(f"{frames} frames, {faces} faces")


main()
