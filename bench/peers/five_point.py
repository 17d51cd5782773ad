"""
The peer of npm run bench:odometry: monocular visual odometry by the five-point algorithm (Nister 2004), as OpenCV has it.

    five_point.py WIDTH HEIGHT FX FY CX CY < frames > motions

Frames are grey, uint8, one after another. One JSON line per pair: pose of the later camera in the earlier one's frame as rotation (row-major) and a translation
of unit length, which is all that two images tell; null where no essential matrix was found. Corners are followed by Lucas-Kanade there and back; a pair whose
corners hardly moved is a camera that stands.
"""

import json
import sys

import cv2
import numpy as np

STANDING_PIXELS = 0.3
LEAST_CORNERS = 12


def motion(before, after, camera):
    corners = cv2.goodFeaturesToTrack(before, 2000, 0.005, 7)
    if corners is None or len(corners) < LEAST_CORNERS:
        return None
    window = {'winSize': (21, 21), 'maxLevel': 4}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, **window)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **window)
    kept = (found.ravel() == 1) & (found_back.ravel() == 1) & (np.abs(back - corners).max(axis=(1, 2)) < 0.5)
    one, two = corners[kept].reshape(-1, 2), there[kept].reshape(-1, 2)
    if len(one) < LEAST_CORNERS:
        return None
    if np.median(np.linalg.norm(two - one, axis=1)) < STANDING_PIXELS:
        return {'rotation': np.eye(3).ravel().tolist(), 'translation': [0, 0, 0]}
    essential, inliers = cv2.findEssentialMat(one, two, camera, method=cv2.RANSAC, prob=0.999, threshold=1.0)
    if essential is None or essential.shape != (3, 3):
        return None
    _, rotation, translation, _ = cv2.recoverPose(essential, one, two, camera, mask=inliers)
    # OpenCV's takes points of the earlier camera to the later one's frame.
    return {
        'rotation': rotation.T.ravel().tolist(),
        'translation': (-rotation.T @ translation).ravel().tolist(),
    }


def main():
    width, height = int(sys.argv[1]), int(sys.argv[2])
    fx, fy, cx, cy = map(float, sys.argv[3:7])
    camera = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    cv2.setNumThreads(2)
    cv2.setRNGSeed(1)
    before = None
    while True:
        data = sys.stdin.buffer.read(width * height)
        if len(data) < width * height:
            break
        image = np.frombuffer(data, np.uint8).reshape(height, width)
        if before is not None:
            print(json.dumps(motion(before, image, camera)), flush=True)
        before = image


main()
