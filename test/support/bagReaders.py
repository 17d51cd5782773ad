"""
Bags by software that is not this package's: rosbags and mcap-ros2-support (scripts/setup/bag-readers.sh).

  bagReaders.py rosbags|mcap_ros2 PATH      every message as a JSON line: topic, type, time of reception, bytes, fields; then the topics' offers
  bagReaders.py write FOLDER mcap|sqlite3   a bag by rosbags, its messages as JSON lines
"""

import array
import base64
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

START_NS = 1_700_000_000_000_000_000


def plain(value):
    """Fields as JSON, whatever classes the library makes of them."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return list(value)
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.tolist()]
    if isinstance(value, (list, tuple, array.array)):
        return [plain(one) for one in value]
    if dataclasses.is_dataclass(value):  # rosbags: the type's name and its constants are fields, too
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names if name != '__msgtype__' and not name.isupper()}
    if hasattr(value, '__slots__'):
        return {name: plain(getattr(value, name)) for name in value.__slots__}
    return value


def say(topic, kind, ns, raw, fields=None):
    row = {'topic': topic, 'type': kind, 'ns': str(ns), 'raw': base64.b64encode(bytes(raw)).decode()}
    print(json.dumps(row if fields is None else row | {'fields': plain(fields)}))


def by_rosbags(path):
    from rosbags.highlevel import AnyReader

    with AnyReader([Path(path)]) as reader:
        for connection, ns, raw in reader.messages():
            say(connection.topic, connection.msgtype, ns, raw, reader.deserialize(raw, connection.msgtype))
        for connection in reader.connections:
            offers = connection.ext.offered_qos_profiles
            rows = [[qos.reliability.name, qos.durability.name, qos.history.name, qos.depth] for qos in offers]
            print(json.dumps({'offers': rows, 'topic': connection.topic}))


def by_mcap_ros2(path):
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    with open(path, 'rb') as file:
        for schema, channel, message, decoded in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
            say(channel.topic, schema.name, message.log_time, message.data, decoded)


def write(folder, storage):
    """Half a second of a camera, an IMU at 100 Hz, text, a latched transform, and a type that is installed nowhere."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg('string what\nint32 number', 'nowhere_msgs/msg/Thing'))
    types = store.types

    def make(name, **fields):
        return types[name](**fields)

    def header(ns, frame):
        stamp = make('builtin_interfaces/msg/Time', sec=ns // 10**9 - 1000, nanosec=ns % 10**9)
        return make('std_msgs/msg/Header', stamp=stamp, frame_id=frame)

    def vector(x, y, z):
        return make('geometry_msgs/msg/Vector3', x=x, y=y, z=z)

    def image(ns, number):
        pixels = ((np.arange(96 * 64 * 3) * 13 + number * 40) % 256).astype(np.uint8)
        fields = {'height': 64, 'width': 96, 'encoding': 'rgb8', 'is_bigendian': 0, 'step': 288, 'data': pixels}
        return make('sensor_msgs/msg/Image', header=header(ns, 'front_optical'), **fields)

    def camera_info(ns):
        roi = make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        k, r = np.array([90.0, 0, 47, 0, 90, 31, 0, 0, 1]), np.eye(3).ravel()
        p = np.array([90.0, 0, 47, 0, 0, 90, 31, 0, 0, 0, 1, 0])
        fields = {'height': 64, 'width': 96, 'distortion_model': 'plumb_bob', 'd': np.zeros(5), 'k': k, 'r': r, 'p': p}
        return make('sensor_msgs/msg/CameraInfo', header=header(ns, 'front_optical'), **fields, binning_x=0, binning_y=0, roi=roi)

    def imu(ns, number):
        rotation = make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=0.0, w=1.0)
        covariances = {f'{name}_covariance': np.arange(9.0) for name in ('orientation', 'angular_velocity', 'linear_acceleration')}
        turn, acceleration = vector(0.0, 0.0, float(number)), vector(1.0, 2.0, 9.81)
        return make('sensor_msgs/msg/Imu', header=header(ns, 'imu'), orientation=rotation, angular_velocity=turn, linear_acceleration=acceleration, **covariances)

    def mount(ns):
        pose = make('geometry_msgs/msg/Transform', translation=vector(1.0, 0.0, 1.5), rotation=make('geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=0.0, w=1.0))
        link = make('geometry_msgs/msg/TransformStamped', header=header(ns, 'base_link'), child_frame_id='front_optical', transform=pose)
        return make('tf2_msgs/msg/TFMessage', transforms=[link])

    messages = [('/tf_static', START_NS, mount(START_NS))]
    for number in range(50):
        ns = START_NS + number * 10_000_000
        messages.append(('/imu', ns + 1000, imu(ns, number)))
        if number % 5 == 0:
            messages.append(('/front/camera_info', ns + 2000, camera_info(ns)))
            messages.append(('/front/image_raw', ns + 3000, image(ns, number)))
        if number % 10 == 0:
            messages.append(('/note', ns + 4000, make('std_msgs/msg/String', data=f'Nummer {number}: schön')))
            messages.append(('/odd', ns + 5000, make('nowhere_msgs/msg/Thing', what='odd', number=number)))

    endless = QosTime(9223372036, 854775807)

    def offer(reliability, durability):
        limits = (endless, endless, QosLiveliness.AUTOMATIC, endless, False)
        return Qos(QosHistory.KEEP_LAST, 7, QosReliability[reliability], QosDurability[durability], *limits)

    offers = {
        '/tf_static': [offer('RELIABLE', 'TRANSIENT_LOCAL')],
        '/front/image_raw': [offer('BEST_EFFORT', 'VOLATILE')],
    }
    version, plugin = (9, StoragePlugin.MCAP) if storage == 'mcap' else (8, StoragePlugin.SQLITE3)
    with Writer(Path(folder), version=version, storage_plugin=plugin) as writer:
        connections = {}
        for topic, ns, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                profiles = offers.get(topic, [])
                connections[topic] = writer.add_connection(topic, kind, typestore=store, offered_qos_profiles=profiles)
            raw = store.serialize_cdr(message, kind)
            writer.write(connections[topic], ns, raw)
            say(topic, kind, ns, raw)


command, *arguments = sys.argv[1:]
{'rosbags': by_rosbags, 'mcap_ros2': by_mcap_ros2, 'write': write}[command](*arguments)
