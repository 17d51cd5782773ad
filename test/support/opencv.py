"""
What OpenCV makes of a picture, for tests that have it as their referee: a list of commands as JSON on stdin, a list of answers as JSON on
stdout. Pictures are frames of the sample drive, or a pattern made here; every array goes as base64.
"""

import base64
import json
import os
import sys

import cv2
import numpy as np


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def photograph(command):
    """rgb of a frame of the highway drive, cut from its middle or shrunk to `size`."""
    path = os.path.join(os.environ['DEPTHGRAD_DRIVES'], 'test_videos', 'project_video03.mp4')
    video = cv2.VideoCapture(path)
    video.set(cv2.CAP_PROP_POS_FRAMES, command.get('frame', 300))
    found, bgr = video.read()
    if not found:
        sys.exit(f'{path}: no frame')
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    width, height = command.get('size', (rgb.shape[1], rgb.shape[0]))
    if command.get('shrunk'):
        return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return np.ascontiguousarray(rgb[top : top + height, left : left + width])


def resized(rgb, size):
    """By areas where an axis shrinks, else linearly, as depth_node does."""
    width, height = size
    if width <= rgb.shape[1]:
        rgb = cv2.resize(rgb, (width, rgb.shape[0]), interpolation=cv2.INTER_AREA)
    else:
        rgb = cv2.resize(rgb, (width, rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
    how = cv2.INTER_AREA if height <= rgb.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width, height), interpolation=how)


def raw_image(command):
    """A photograph in `encoding`, and its shrink as OpenCV decodes it."""
    rgb = photograph(command)
    encoding, output = command['encoding'], command['output']
    if encoding.startswith('bayer_'):
        raw = np.empty(rgb.shape[:2], np.uint8)
        for place, letter in enumerate(encoding[6:10]):
            row, column = divmod(place, 2)
            raw[row::2, column::2] = rgb[row::2, column::2, 'rgb'.index(letter)]
        decoded = cv2.cvtColor(raw, getattr(cv2, f'COLOR_Bayer{encoding[6:10].upper()}2RGB'))
    else:
        yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV).astype(np.float32)
        # OpenCV's packed formats have the limited range: 16..235, 16..240
        luma = 16 + yuv[..., 0] * 219 / 255
        y, u, v = luma, 128 + (rgb[..., 2] - yuv[..., 0]) * 0.439 / 0.886, 128 + (rgb[..., 0] - yuv[..., 0]) * 0.439 / 0.701
        raw = np.empty((*rgb.shape[:2], 2), np.uint8)
        first = encoding in ('yuyv', 'yuv422_yuy2')
        raw[..., 0 if first else 1] = y.round()
        chroma = raw[..., 1 if first else 0]
        chroma[:, 0::2] = ((u[:, 0::2] + u[:, 1::2]) / 2).clip(16, 240).round()
        chroma[:, 1::2] = ((v[:, 0::2] + v[:, 1::2]) / 2).clip(16, 240).round()
        decoded = cv2.cvtColor(raw, cv2.COLOR_YUV2RGB_YUY2 if first else cv2.COLOR_YUV2RGB_UYVY)
    return {
        'raw': text(raw),
        'step': raw.shape[1] * (1 if raw.ndim == 2 else 2),
        'expected': text(resized(decoded, output)),
        'original': text(resized(rgb, output)),
    }


def camera_of(command):
    """K, D, R and the left of P; and the function of OpenCV that makes the model's map."""
    k = np.array(command['k'], float).reshape(3, 3)
    p = np.array(command['p'], float).reshape(3, 4)[:, :3]
    r = np.array(command['r'], float).reshape(3, 3)
    d = np.array(command['d'], float)
    make = cv2.fisheye.initUndistortRectifyMap if command['model'] == 'equidistant' else cv2.initUndistortRectifyMap
    return k, d, r, p, make


def lens_map(command):
    """Pixel of the camera's image for every pixel of the view P of `output` pixels."""
    k, d, r, p, make = camera_of(command)
    map_u, map_v = make(k, d, r, p, tuple(command['output']), cv2.CV_32FC1)
    return {'map': text(np.stack([map_u, map_v], -1).astype(np.float32))}


def rectified(command):
    """A photograph, and what it is rectified, cut to `rows` and shrunk to `output`; and the pixels `expected` has no source for."""
    rgb = photograph(command)
    height, width = rgb.shape[:2]
    k, d, r, p, make = camera_of(command)
    map_u, map_v = make(k, d, r, p, (width, height), cv2.CV_32FC1)
    ideal = cv2.remap(rgb, map_u, map_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = (map_u >= -0.5) & (map_u <= width - 0.5) & (map_v >= -0.5) & (map_v <= height - 0.5)
    rows = command.get('rows') or height
    share = cv2.resize(seen[:rows].astype(np.float32), tuple(command['output']), interpolation=cv2.INTER_AREA)
    return {
        'image': text(rgb),
        'expected': text(cv2.resize(ideal[:rows], tuple(command['output']), interpolation=cv2.INTER_AREA)),
        'seen': text(share.astype(np.float32)),
        'map': text(np.stack([map_u, map_v], -1).astype(np.float32)) if command.get('map') else '',
    }


def encoded(command):
    """A photograph (or, `grey`, `deep`, the same in one channel, in 16 bits) as a file, and its shrink as OpenCV decodes the file."""
    rgb = photograph(command)
    picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if command.get('swapped'):
        picture = rgb
    if command.get('grey'):
        picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if command.get('deep'):
        picture = picture.astype(np.uint16) * 257
    done, file = cv2.imencode(command['extension'], picture)
    assert done
    decoded = cv2.imdecode(file, cv2.IMREAD_COLOR)
    if not command.get('swapped'):
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    rows = command.get('rows') or rgb.shape[0]
    return {'file': text(file), 'expected': text(resized(decoded[:rows], command['output']))}


OPERATIONS = {'raw_image': raw_image, 'rectified': rectified, 'lens_map': lens_map, 'encoded': encoded}
json.dump([OPERATIONS[command['op']](command) for command in json.load(sys.stdin)], sys.stdout)
