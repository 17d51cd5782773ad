#!/usr/bin/env python3
"""Camera intrinsics and plumb_bob distortion from pictures of a chessboard, by OpenCV.

    source scripts/env.sh      # after npm run setup: the python it names has OpenCV
    $DEPTHGRAD_PYTHON scripts/calibrate.py $DEPTHGRAD_DRIVES/camera_cal config/cameras/udacity.yaml --corners 9x6 --fps 25 --usable-rows 660

Pictures of another size than most, and those on which the board is not found whole, are left out and named.
"""
import argparse
import collections
import pathlib
import sys

import cv2
import numpy as np


def find_corners(path, columns, rows):
    """Size (width, height) and corners float32 [columns*rows, 1, 2] to a fraction of a pixel, or None without a whole board."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        sys.exit(f'{path}: not a picture OpenCV can read')
    found, corners = cv2.findChessboardCorners(grey, (columns, rows))
    if found:
        criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 1e-3)
        corners = cv2.cornerSubPix(grey, corners, (11, 11), (-1, -1), criteria)
    return grey.shape[::-1], corners if found else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=pathlib.Path, help='folder of .jpg or .png pictures of the board')
    parser.add_argument('output', type=pathlib.Path, help='camera yaml to write')
    parser.add_argument('--corners', default='9x6', help='inner corners, columns x rows')
    parser.add_argument('--fps', type=float, required=True, help='frame rate to write down')
    parser.add_argument('--usable-rows', type=int, help='rows above the own hood; all when left out')
    args = parser.parse_args()
    columns, rows = (int(n) for n in args.corners.split('x'))
    pictures = sorted(p for p in args.folder.glob('*') if p.suffix.lower() in ('.jpg', '.jpeg', '.png'))
    if not pictures:
        sys.exit(f'{args.folder}: no .jpg or .png in it')
    seen = {p: find_corners(p, columns, rows) for p in pictures}
    size = collections.Counter(s for s, _ in seen.values()).most_common(1)[0][0]
    corners = [c for s, c in seen.values() if s == size and c is not None]
    for path, (own, found) in seen.items():
        if own != size or found is None:
            print(f'left out {path.name}: ' + (f'{own[0]}x{own[1]}' if own != size else 'board not found whole'))
    if len(corners) < 5:
        sys.exit(f'{args.folder}: the {args.corners} board was found on {len(corners)} pictures of one size; at least 5 are needed')
    board = np.zeros((rows * columns, 3), np.float32)
    board[:, :2] = np.mgrid[:columns, :rows].T.reshape(-1, 2)
    rms, k, distortion, _, _ = cv2.calibrateCamera([board] * len(corners), corners, size, None, None)
    text = f'''# pinhole with plumb_bob distortion (k1, k2, p1, p2, k3), pixels, pixel centres at integers
# made by: python scripts/calibrate.py {args.folder.name} {args.output} --corners {args.corners} --fps {args.fps:g}''' + (
        f' --usable-rows {args.usable_rows}' if args.usable_rows else '') + f'''
# OpenCV {cv2.__version__}, {len(corners)} of {len(pictures)} pictures, rms {rms:.3f} px
image_width: {size[0]}
image_height: {size[1]}
fx: {k[0, 0]:.3f}
fy: {k[1, 1]:.3f}
cx: {k[0, 2]:.3f}
cy: {k[1, 2]:.3f}
distortion: [{', '.join(f'{d:.6f}' for d in distortion.ravel()[:5])}]
fps: {args.fps:g}
''' + (f'''# rows above the car's own hood
usable_rows: {args.usable_rows}
''' if args.usable_rows else '')
    args.output.write_text(text)
    print(text, end='')


if __name__ == '__main__':
    main()
