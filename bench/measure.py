#!/usr/bin/env python3
"""Publishes camera images and receives depth maps and ego-motions, all in this process; prints one JSON line of what it measured.

    measure.py --image /bench/image --depth /bench/depth_node/depth --width 640 --height 480 --rate 25 --seconds 10

rate N   N images per second; the latency of each: just before its publish call to its depth taken here.
rate 0   as fast as it goes: two images in flight, so the node always has the next one and none is thrown away.

--frames FILE plays rgb8 pictures of that size, one after the other in the file, there and back, in place of ready-made ones; --intrinsics is their camera.

--points TOPIC takes point clouds as well; --pid is the node's process, for the processor time it takes meanwhile.

Messages are ready-made CDR bytes with the stamp written in, and come back as bytes: Python's conversion is no part of the figures.
"""
import argparse
import json
import os
import struct
import sys
import time
from array import array

import numpy as np
import rclpy
from depthgrad.msg import EgoMotion
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

STAMP = struct.Struct("<iI")  # behind the four bytes of the encapsulation
PICTURES = 8
WINDOW = 2
LOST_AFTER_S = 0.5
MATCH_LIMIT_S = 30


class Measurement:
    def __init__(self, options):
        self.options = options
        self.node = rclpy.create_node("measure")
        reliable = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
        best_effort = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.image_publisher = self.node.create_publisher(Image, options.image, reliable)
        info_topic = options.image.rsplit("/", 1)[0] + "/camera_info"
        self.info_publisher = self.node.create_publisher(CameraInfo, info_topic, reliable)
        self.subscription = self.node.create_subscription(Image, options.depth, self.on_depth, best_effort, raw=True)
        # Read and thrown away: the node has its whole job to do, not the depth alone.
        motion_topic = options.depth.rsplit("/", 1)[0] + "/ego_motion"
        self.motions = 0
        self.motion_subscription = self.node.create_subscription(EgoMotion, motion_topic, self.on_motion, best_effort, raw=True)
        self.clouds, self.last_cloud = 0, None
        if options.points:
            self.cloud_subscription = self.node.create_subscription(PointCloud2, options.points, self.on_cloud, best_effort, raw=True)
        self.executor = rclpy.executors.SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.images = [bytearray(serialize_message(message)) for message in pictures(options)]
        self.info = bytearray(serialize_message(camera_info(options)))
        self.published_at = {}
        self.shown = 0
        self.published = 0
        self.received = []  # (publish time, receive time), seconds of the monotonic clock
        self.missing = []  # publish times of images without a depth
        self.last_depth = None

    def on_motion(self, _message):
        self.motions += 1

    def on_cloud(self, message):
        self.clouds += 1
        self.last_cloud = message

    def on_depth(self, message):
        now = time.perf_counter()
        stamp = STAMP.unpack_from(message, 4)
        started = self.published_at.pop(stamp, None)
        if started is None:
            return
        for older in [key for key, at in self.published_at.items() if at < started]:
            self.missing.append(self.published_at.pop(older))  # thrown away by the node: what comes is never older
        self.received.append((started, now))
        self.last_depth = message

    def publish(self):
        nanoseconds = time.time_ns()
        stamp = (nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000)
        # There and back, so that neighbours always are neighbours.
        count = len(self.images)
        at = self.shown % max(1, 2 * count - 2)
        image = self.images[min(at, 2 * count - 2 - at)]
        self.shown += 1
        STAMP.pack_into(image, 4, *stamp)
        STAMP.pack_into(self.info, 4, *stamp)
        image_bytes = bytes(image)
        self.info_publisher.publish(bytes(self.info))
        started = time.perf_counter()
        self.published_at[stamp] = started
        self.image_publisher.publish(image_bytes)
        self.published += 1

    def wait_for_match(self):
        limit = time.perf_counter() + MATCH_LIMIT_S
        while not (self.image_publisher.get_subscription_count() and self.node.count_publishers(self.options.depth)):
            if time.perf_counter() > limit:
                sys.exit(f"measure.py: nobody on {self.options.image} and {self.options.depth} within {MATCH_LIMIT_S} s")
            self.executor.spin_once(timeout_sec=0.05)

    def paced(self, seconds):
        due = time.perf_counter()
        end = due + seconds
        while due < end:
            self.publish()
            due += 1 / self.options.rate
            while (left := due - time.perf_counter()) > 0:
                self.executor.spin_once(timeout_sec=left)

    def saturated(self, seconds):
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            for stamp in [stamp for stamp, at in self.published_at.items() if now - at > LOST_AFTER_S]:
                del self.published_at[stamp]
            if len(self.published_at) < WINDOW:
                self.publish()
                self.executor.spin_once(timeout_sec=0)
            else:
                self.executor.spin_once(timeout_sec=0.05)

    def run(self):
        options = self.options
        self.wait_for_match()
        play = self.paced if options.rate > 0 else self.saturated
        play(options.warmup)
        self.drain()
        self.published, self.received, self.missing, self.motions, self.clouds = 0, [], [], 0, 0
        used = processor_seconds(options.pid)
        started = time.perf_counter()
        play(options.seconds)
        seconds = time.perf_counter() - started
        in_time = len(self.received)
        self.drain()
        used = processor_seconds(options.pid) - used
        if not self.received:
            sys.exit(f"measure.py: {self.published} images on {options.image}, no depth on {options.depth}")
        wall = time.time() - time.perf_counter()
        depth = deserialize_message(self.last_depth, Image)
        values = np.frombuffer(depth.data, np.float32)
        if depth.encoding != "32FC1" or values.size != depth.width * depth.height or np.isnan(values).mean() > 0.5:
            sys.exit(f"measure.py: {options.depth} is no depth map: {depth.encoding} {depth.width}x{depth.height}")
        if self.motions < 0.9 * len(self.received):
            sys.exit(f"measure.py: {len(self.received)} depths but {self.motions} ego-motions")
        points = 0
        if options.points:
            if not self.last_cloud:
                sys.exit(f"measure.py: {len(self.received)} depths, no cloud on {options.points}")
            cloud = deserialize_message(self.last_cloud, PointCloud2)
            points = cloud.width * cloud.height
        return {
            "processor_s": used,
            "clouds": self.clouds,
            "points": points,
            "published": self.published,
            "received": len(self.received),
            "per_second": in_time / seconds,
            "latencies_ms": [round((end - start) * 1000, 3) for start, end in self.received],
            # by the wall clock, for what else happened meanwhile
            "received_at_ms": [round((end + wall) * 1000, 3) for _, end in self.received],
            "missing_at_ms": [round((at + wall) * 1000, 3) for at in self.missing],
        }

    def drain(self):
        limit = time.perf_counter() + LOST_AFTER_S
        while self.published_at and time.perf_counter() < limit:
            self.executor.spin_once(timeout_sec=0.05)
        self.published_at.clear()


def processor_seconds(pid):
    """Of a process, user and system time together; 0 where none is watched."""
    if not pid:
        return 0.0
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split(" ")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pictures(options):
    width, height = options.width, options.height
    if options.frames:
        frames = np.fromfile(options.frames, np.uint8).reshape(-1, height, width, 3)
    else:
        generator = np.random.default_rng(1)
        shape = (PICTURES, height // 16 + 1, width // 16 + 1, 3)
        coarse = generator.integers(40, 220, shape, np.uint8)
        frames = np.repeat(np.repeat(coarse, 16, 1), 16, 2)[:, :height, :width]
    for image in frames:
        message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        message.header.frame_id = "camera_optical_frame"
        message.data = array("B", np.ascontiguousarray(image).tobytes())
        yield message


def camera_info(options):
    width, height = options.width, options.height
    fx, fy, cx, cy = options.intrinsics or (0.9 * width, 0.9 * width, width / 2 - 0.5, height / 2 - 0.5)
    message = CameraInfo(height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5)
    message.header.frame_id = "camera_optical_frame"
    message.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--depth", required=True)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--rate", type=float, default=25)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--points")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--frames")
    parser.add_argument("--intrinsics", type=float, nargs=4, metavar=("FX", "FY", "CX", "CY"))
    options = parser.parse_args()
    rclpy.init()
    try:
        print(json.dumps(Measurement(options).run()))
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
