#!/usr/bin/env python3
"""The peer of depth_node: what a competent user would write with rclpy, numpy and Python's onnxruntime around the same model.

One callback per image, keep-last-1 best-effort subscription (so it always works on the newest frame), reliable depth-1 publications with
the image's own stamp, camera_info scaled to the depth map, the encoder's features fed back, messages built only where somebody listens.
The graph takes rgb images of any size, so the image goes in as it came; with shrink:=opencv OpenCV's area resize makes it small first.
"""
import sys
from array import array

import numpy as np
import onnxruntime
import rclpy
from depthgrad.msg import DepthGradient, EgoMotion
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image


class PeerDepthNode(Node):
    def __init__(self):
        super().__init__("depth_node")
        model = self.declare_parameter("model", "").value
        threads = self.declare_parameter("threads", 0).value
        self.shrink = self.declare_parameter("shrink", "graph").value
        if self.shrink not in ("graph", "opencv"):
            raise ValueError(f'parameter shrink: is "{self.shrink}", must be graph or opencv')

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.size = int(metadata["width"]), int(metadata["height"])
        shape = [1] + [int(metadata[f"feature_{axis}"]) for axis in ("height", "width", "channels")]
        self.no_features = np.zeros(shape, np.float32)
        self.features = None
        self.camera_info = None
        self.previous_stamp = None
        self.outputs = ["depth", "log_disparity_gradient", "confidence", "ego_motion", "features"]

        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self.depth_publisher = self.create_publisher(Image, "~/depth", reliable)
        self.camera_info_publisher = self.create_publisher(CameraInfo, "~/camera_info", reliable)
        self.gradient_publisher = self.create_publisher(DepthGradient, "~/gradient", reliable)
        self.confidence_publisher = self.create_publisher(Image, "~/confidence", reliable)
        self.ego_motion_publisher = self.create_publisher(EgoMotion, "~/ego_motion", reliable)
        self.create_subscription(CameraInfo, "camera_info", self.on_camera_info, best_effort)
        self.create_subscription(Image, "image", self.on_image, best_effort)

    def on_camera_info(self, message):
        self.camera_info = message

    def on_image(self, message):
        channels = {"rgb8": 3, "bgr8": 3, "mono8": 1}.get(message.encoding)
        if channels is None:
            self.get_logger().warning(f'encoding "{message.encoding}" is not known', throttle_duration_sec=5)
            return
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        image = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
        if message.encoding == "bgr8":
            image = image[:, :, ::-1]
        elif message.encoding == "mono8":
            image = np.repeat(image, 3, axis=2)
        if self.shrink == "opencv":
            import cv2

            image = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        features = self.no_features if self.features is None else self.features
        inputs = {"image": np.ascontiguousarray(image)[None], "previous_features": features}
        depth, gradient, confidence, ego_motion, self.features = self.session.run(self.outputs, inputs)
        self.publish(message.header, depth[0], gradient[0], confidence[0], ego_motion[0])
        self.previous_stamp = message.header.stamp

    def publish(self, header, depth, gradient, confidence, ego_motion):
        if self.depth_publisher.get_subscription_count():
            depth[depth > 80] = np.inf  # REP 117
            depth[depth < 0.1] = -np.inf
            self.depth_publisher.publish(float_image(header, depth))
        if self.camera_info and self.camera_info_publisher.get_subscription_count():
            self.camera_info_publisher.publish(scaled(self.camera_info, header, depth.shape))
        if self.gradient_publisher.get_subscription_count():
            message = DepthGradient(header=header, space=DepthGradient.SPACE_LOG_DISPARITY, units="1/pixel")
            message.gradient = float_image(header, gradient)
            self.gradient_publisher.publish(message)
        if self.confidence_publisher.get_subscription_count():
            self.confidence_publisher.publish(float_image(header, confidence))
        if self.ego_motion_publisher.get_subscription_count() and self.previous_stamp:
            self.ego_motion_publisher.publish(self.motion(header, ego_motion, float(confidence.mean())))

    def motion(self, header, vector, quality):
        message = EgoMotion(header=header, previous_stamp=self.previous_stamp, scale=1.0, quality=quality)
        message.scale_source = EgoMotion.SCALE_NONE if self.camera_info else EgoMotion.SCALE_UNAVAILABLE
        position, orientation = message.pose.pose.position, message.pose.pose.orientation
        position.x, position.y, position.z = (float(value) for value in vector[:3])
        angle = float(np.linalg.norm(vector[3:]))
        factor = 0.5 if angle < 1e-9 else np.sin(angle / 2) / angle
        orientation.x, orientation.y, orientation.z = (float(value * factor) for value in vector[3:])
        orientation.w = float(np.cos(angle / 2))
        return message


def float_image(header, values):
    channels = 1 if values.ndim == 2 else values.shape[2]
    height, width = values.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=f"32FC{channels}", step=width * channels * 4)
    message.data = array("B", values.tobytes())  # an array is taken as it is; bytes would be checked one by one
    return message


def scaled(info, header, shape):
    sx, sy = shape[1] / info.width, shape[0] / info.height
    message = CameraInfo(header=header, height=shape[0], width=shape[1], distortion_model=info.distortion_model)
    message.d, message.r = info.d, info.r
    k, p = np.array(info.k), np.array(info.p)
    for matrix, columns in ((k, 3), (p, 4)):
        matrix[0] *= sx
        matrix[2] = (matrix[2] + 0.5) * sx - 0.5
        matrix[columns + 1] *= sy
        matrix[columns + 2] = (matrix[columns + 2] + 0.5) * sy - 0.5
    message.k, message.p = k, p
    return message


def main():
    rclpy.init()
    try:
        rclpy.spin(PeerDepthNode())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
