"""
The other end of the nodes under test: an ordinary rclpy process, driven by JSON lines on stdin, answering in JSON lines on stdout.

Arguments: TOPIC=TYPE:pub or TOPIC=TYPE:sub for every topic; latched_pub and latched_sub are transient local, of depth 1 and 100. Every message that comes in on a subscription is written out at once.
For raw_sub, raw_latched_sub, raw_best_effort_sub any type is given in full (sensor_msgs/msg/Imu), and the messages are written out as their bytes.
"""

import array
import base64
import collections
import importlib
import json
import random
import re
import sys
import threading
import time

import numpy as np
import rclpy
from depthgrad.msg import AdaptationStatus, DepthGradient, EgoMotion, ModelAck, ModelUpdate
from depthgrad.srv import LoadModel
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped, TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage


from peer_operations import OPERATIONS_TYPES, Operations, operations_fields, stream_frames

TYPES = {kind.__name__: kind for kind in (Image, CameraInfo, DepthGradient, EgoMotion, DiagnosticArray, ModelAck, ModelUpdate, AdaptationStatus, TwistStamped, Odometry, PointCloud2, TFMessage)}
TYPES |= OPERATIONS_TYPES
output = threading.Lock()


def message_type(name):
    """One of TYPES, or of any installed package: sensor_msgs/msg/Imu."""
    if name in TYPES:
        return TYPES[name]
    package, _, kind = name.split('/')
    return getattr(importlib.import_module(f'{package}.msg'), kind)


def filled(kind, rng):
    """A message with something in every field."""
    message = kind()
    for field, text in kind.get_fields_and_field_types().items():
        setattr(message, field, filled_field(text, rng))
    return message


def filled_field(text, rng):
    sequence = re.fullmatch(r'sequence<([^,]*)(?:, \d+)?>', text)
    if sequence:
        return [filled_field(sequence[1], rng) for _ in range(rng.randrange(1, 4))]
    array = re.fullmatch(r'(.*)\[(\d+)\]', text)
    if array:
        return [filled_field(array[1], rng) for _ in range(int(array[2]))]
    if '/' in text:
        return filled(message_type(text.replace('/', '/msg/')), rng)
    if text.startswith('string'):
        return f'wört {rng.randrange(1000)}'
    if text == 'boolean':
        return rng.random() < 0.5
    if text in ('float', 'double'):
        return rng.randrange(-1000, 1000) / 8
    return bytes([rng.randrange(100)]) if text == 'octet' else rng.randrange(100)


def say(message):
    with output:
        sys.stdout.write(json.dumps(message) + '\n')
        sys.stdout.flush()


def stamp(time):
    return [time.sec, time.nanosec]


def image_fields(image):
    return {
        'stamp': stamp(image.header.stamp),
        'frameId': image.header.frame_id,
        'width': image.width,
        'height': image.height,
        'encoding': image.encoding,
        'bigEndian': image.is_bigendian,
        'step': image.step,
        'data': base64.b64encode(image.data).decode(),
    }


def ack_fields(ack):
    return {
        'stamp': stamp(ack.stamp),
        'updateStamp': stamp(ack.update_stamp),
        'accepted': ack.accepted,
        'reason': ack.reason,
        'version': ack.version,
        'sha256': ack.sha256,
        'runningVersion': ack.running_version,
        'runningSha256': ack.running_sha256,
        'swapMilliseconds': ack.swap_ms,
    }


def plain(value):
    if isinstance(value, str):
        return value
    if hasattr(value, '__len__'):
        return [plain(one) for one in value]
    return None if value != value else value  # JSON has no NaN


def status_fields(status):
    names = [name for name in status.get_fields_and_field_types() if name != 'stamp']
    return {'stamp': stamp(status.stamp)} | {name: plain(getattr(status, name)) for name in names}


def update_fields(update):
    return {
        'stamp': stamp(update.stamp),
        'kind': update.kind,
        'version': update.version,
        'sha256': update.sha256,
        'parentSha256': update.parent_sha256,
        'keyId': update.key_id,
        'signature': base64.b64encode(update.signature).decode(),
        'bytes': len(update.data),
    }


def parameter_value(value):
    kinds = {
        ParameterType.PARAMETER_BOOL: 'bool_value',
        ParameterType.PARAMETER_INTEGER: 'integer_value',
        ParameterType.PARAMETER_DOUBLE: 'double_value',
        ParameterType.PARAMETER_STRING: 'string_value',
    }
    return getattr(value, kinds[value.type])


def descriptor_fields(descriptor):
    ranges = [*descriptor.integer_range, *descriptor.floating_point_range]
    return {
        'name': descriptor.name,
        'text': descriptor.description,
        'readOnly': descriptor.read_only,
        'integer': descriptor.type == ParameterType.PARAMETER_INTEGER,
        'number': descriptor.type in (ParameterType.PARAMETER_INTEGER, ParameterType.PARAMETER_DOUBLE),
        'range': [ranges[0].from_value, ranges[0].to_value] if ranges else None,
    }


def vector(value):
    return [value.x, value.y, value.z] + ([value.w] if hasattr(value, 'w') else [])


def fields(message):
    if type(message).__name__ in OPERATIONS_TYPES:
        return operations_fields(message)
    if isinstance(message, TFMessage):
        (link,) = message.transforms
        return {
            'stamp': stamp(link.header.stamp),
            'frameId': link.header.frame_id,
            'child': link.child_frame_id,
            'position': vector(link.transform.translation),
            'orientation': vector(link.transform.rotation),
        }
    if isinstance(message, AdaptationStatus):
        return status_fields(message)
    if isinstance(message, ModelUpdate):
        return update_fields(message)
    if isinstance(message, ModelAck):
        return ack_fields(message)
    if isinstance(message, Image):
        return image_fields(message)
    if isinstance(message, DiagnosticArray):
        return {
            'stamp': stamp(message.header.stamp),
            'status': [
                {
                    'level': status.level[0],
                    'name': status.name,
                    'message': status.message,
                    'hardwareId': status.hardware_id,
                    'values': {entry.key: entry.value for entry in status.values},
                }
                for status in message.status
            ],
        }
    common = {'stamp': stamp(message.header.stamp), 'frameId': message.header.frame_id}
    if isinstance(message, CameraInfo):
        return common | {
            'width': message.width,
            'height': message.height,
            'distortionModel': message.distortion_model,
            'binning': [message.binning_x, message.binning_y],
            'roi': [message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height],
            **{name: [float(value) for value in getattr(message, name)] for name in 'dkrp'},
        }
    if isinstance(message, PointCloud2):
        return common | {
            'height': message.height,
            'width': message.width,
            'fields': [[field.name, field.offset, field.datatype, field.count] for field in message.fields],
            'isDense': message.is_dense,
            'steps': [message.point_step, message.row_step],
            'data': base64.b64encode(message.data).decode(),
        }
    if isinstance(message, DepthGradient):
        return common | {'space': message.space, 'units': message.units, 'gradient': image_fields(message.gradient)}
    pose, twist = message.pose, message.twist
    common |= {
        'position': vector(pose.pose.position),
        'orientation': vector(pose.pose.orientation),
        'poseCovariance': [float(value) for value in pose.covariance],
        'linear': vector(twist.twist.linear),
        'angular': vector(twist.twist.angular),
        'twistCovariance': [float(value) for value in twist.covariance],
    }
    if isinstance(message, Odometry):
        return common | {'child': message.child_frame_id}
    return common | {
        'previousStamp': stamp(message.previous_stamp),
        'scale': message.scale,
        'scaleVariance': str(message.scale_variance),
        'scaleSource': message.scale_source,
        'quality': message.quality,
    }


class Peer(Operations):
    def __init__(self, topics):
        self.node = rclpy.create_node('peer')
        self.publishers = {}
        self.kinds = {}
        self.received = collections.Counter()
        self.subscribed = []
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        best_effort = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        latched = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        latched_sub = QoSProfile(  # what several keep, or one keeps of many, is to come
            depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        for topic in topics:
            name, _, rest = topic.partition('=')
            kind, _, role = rest.partition(':')
            self.kinds[name] = message_type(kind)
            if role in ('pub', 'latched_pub', 'best_effort_pub'):
                profile = {'latched_pub': latched, 'best_effort_pub': best_effort}.get(role, qos)
                self.publishers[name] = self.node.create_publisher(self.kinds[name], name, profile)
            else:
                profiles = {'best_effort_sub': best_effort, 'latched_sub': latched_sub}
                profile = profiles.get(role.removeprefix('raw_'), qos)
                self.subscribed.append(name)
                raw = role.startswith('raw_')
                callback = self.receive_raw(name) if raw else self.receive(name)
                self.node.create_subscription(self.kinds[name], name, callback, profile, raw=raw)

    def receive(self, topic):
        def callback(message):
            self.received[topic] += 1
            say({'topic': topic} | fields(message))

        return callback

    def receive_raw(self, topic):
        def callback(message):
            self.received[topic] += 1
            say({'topic': topic, 'raw': base64.b64encode(message).decode(), 'at': time.time()})

        return callback

    def samples(self, command):
        """`count` messages on each of the topics in turn at `rate` per second, something in every field; answers with their bytes, in order."""
        rng, rows = random.Random(command.get('seed', 1)), []
        for _ in range(command['count']):
            for topic in command['topics']:
                raw = serialize_message(filled(self.kinds[topic], rng))
                self.publishers[topic].publish(raw)  # what is between the fields to align them differs from one serialization to the next
                rows.append({'topic': topic, 'raw': base64.b64encode(raw).decode(), 'at': time.time()})
                time.sleep(1 / command['rate'])
        return {'rows': rows}

    def advertise(self, command):
        """A publisher more, as of a node that starts later."""
        depth = QoSProfile(
            depth=50,
            reliability=ReliabilityPolicy[command.get('reliability', 'RELIABLE')],
            durability=DurabilityPolicy[command.get('durability', 'VOLATILE')],
        )
        self.kinds[command['topic']] = kind = message_type(command['type'])
        self.publishers[command['topic']] = self.node.create_publisher(kind, command['topic'], depth)
        return {}

    def wait_match(self, _):
        """Answers once every topic has found its other end; the nodes' discovery decides when, not a sleep."""
        event = threading.Event()
        while True:
            missing = [name for name, publisher in self.publishers.items() if publisher.get_subscription_count() == 0]
            missing += [name for name in self.subscribed if self.node.count_publishers(name) == 0]
            if not missing:
                event.wait(0.1)  # this end has seen the other one; the other one may need a moment more to see this one
                return {}
            event.wait(0.02)

    def image(self, command):
        image = Image(
            width=command['width'], height=command['height'], step=command['step'], encoding=command['encoding']
        )
        image.header.stamp.sec, image.header.stamp.nanosec = command['stamp']
        image.header.frame_id = command['frameId']
        image.data = base64.b64decode(command['data'])
        if command.get('serialized'):
            return self.publish_bytes(command['topic'], image)
        for _ in range(command.get('times', 1)):
            self.publishers[command['topic']].publish(image)
            image.header.stamp.nanosec += 1_000_000
        return {}

    def compressed_image(self, command):
        image = CompressedImage(format=command['format'])
        image.header.stamp.sec, image.header.stamp.nanosec = command['stamp']
        image.header.frame_id = command['frameId']
        image.data = array.array('B', base64.b64decode(command['data']))
        for _ in range(command.get('times', 1)):
            self.publishers[command['topic']].publish(image)
            image.header.stamp.nanosec += 1_000_000
        return {}

    def adaptation_status(self, command):
        status, kinds = AdaptationStatus(), AdaptationStatus.get_fields_and_field_types()
        for name, value in command['fields'].items():  # JSON has no NaN, and no whole floats
            setattr(status, name, float('nan' if value is None else value) if kinds[name] == 'float' else value)
        return self.publish_bytes(command['topic'], status)

    def publish_bytes(self, topic, message):
        """Serialised here, and answered: what stands between aligned fields is any byte, another one each time."""
        serialized = serialize_message(message)
        self.publishers[topic].publish(serialized)
        return {'serialized': base64.b64encode(serialized).decode()}

    def subscribers(self, command):
        return {'count': self.node.count_subscribers(command['topic'])}

    def publisher_count(self, command):
        return {'count': self.node.count_publishers(command['topic'])}

    def image_stream(self, command):
        """
        `count` images at `rate` per second, stamped by their place in the stream; answers at its end with the stamps. On a machine too busy for the rate
        it waits for the depths, so that none is dropped for a newer one: two are on their way at most.
        """
        image = Image(
            width=command['width'], height=command['height'], step=command['step'], encoding=command['encoding']
        )
        image.header.frame_id = command['frameId']
        image.data = base64.b64decode(command['data'])
        started, stamps, before = time.monotonic(), [], self.received[command['depth']]
        for number in range(command['count']):
            time.sleep(max(0.0, started + number / command['rate'] - time.monotonic()))
            while number - (self.received[command['depth']] - before) >= 2:
                time.sleep(0.001)
            nanoseconds = round(number * 1e9 / command['rate'])
            image.header.stamp.sec, image.header.stamp.nanosec = 5000 + nanoseconds // 10**9, nanoseconds % 10**9
            self.publishers[command['topic']].publish(image)
            stamps.append(stamp(image.header.stamp))
        return {'stamps': stamps}

    def start_stream(self, command):
        """
        The frames of the file `path` (peer_operations.stream_frames) again and again at `rate` per second until `stop_stream`, each with its camera_info, its speed where there is
        one, and a stamp of this moment plus `offset` seconds. With `depth` it waits on a busy machine, so that two depths at most are on their way.
        """
        stopping = self.stopping = threading.Event()
        self.streamed = []
        frames, image = stream_frames(command)
        image.header.frame_id = command.get('frameId', '')
        info = CameraInfo(width=command['width'], height=command['height'], distortion_model='plumb_bob')
        info.k = [float(value) for value in command['k']]
        info.d = [float(value) for value in command.get('d', [0] * 5)]

        def stream():
            number, before, due = 0, self.received[command.get('depth')], time.monotonic()
            while not stopping.is_set():
                now = time.time() + command.get('offset', 0.0)
                image.header.stamp.sec, image.header.stamp.nanosec = int(now), int(now % 1 * 1e9)
                info.header = image.header
                if 'info' in command:
                    self.publishers[command['info']].publish(info)
                if 'speed' in command:
                    twist = TwistStamped(header=image.header)
                    twist.twist.linear.x = command['speed']
                    twist.twist.angular.z = float(command.get('turn', 0))
                    if 'twist' in command:
                        self.publishers[command['twist']].publish(twist)
                    if 'odometry' in command:
                        odometry = Odometry(header=image.header, child_frame_id='base_link')
                        odometry.twist.twist = twist.twist
                        self.publishers[command['odometry']].publish(odometry)
                image.data = frames[number % len(frames)]
                self.publishers[command['topic']].publish(image)
                self.streamed.append(stamp(image.header.stamp))
                number += 1
                limit = time.monotonic() + 3
                while 'depth' in command and number - (self.received[command['depth']] - before) >= 2:
                    if stopping.wait(0.002):
                        break
                    if time.monotonic() > limit:  # lost, as before all ends have found each other
                        before = self.received[command['depth']] - number
                due = max(due + 1 / command['rate'], time.monotonic())
                stopping.wait(due - time.monotonic())

        self.streaming = threading.Thread(target=stream, daemon=True)
        self.streaming.start()
        return {}

    def stop_stream(self, _):
        self.stopping.set()
        self.streaming.join()
        return {'stamps': self.streamed}

    def model_update(self, command):
        """`path`: file with the bytes of `data`; `raw`: what is sent in the place of a message."""
        publisher = self.publishers[command['topic']]
        if 'raw' in command:
            publisher.publish(base64.b64decode(command['raw']))
            return {}
        update = ModelUpdate(
            kind=command['kind'],
            version=command['version'],
            sha256=command['sha256'],
            parent_sha256=command['parentSha256'],
            key_id=command['keyId'],
        )
        update.stamp.sec = update.version
        update.signature = base64.b64decode(command['signature'])
        with open(command['path'], 'rb') as file:
            update.data = array.array('B', file.read())
        publisher.publish(update)
        return {}

    def load_model(self, command):
        version = int(command.get('version', 0))  # a string where JSON would round it
        request = LoadModel.Request(path=command['path'], sha256=command.get('sha256', ''), version=version)
        return {'ack': ack_fields(self.call(LoadModel, f"{command['node']}/load_model", request).ack)}

    def transform(self, command):
        link = TransformStamped()
        link.header.frame_id, link.child_frame_id = command['parent'], command['child']
        for part, values in (('translation', command['position']), ('rotation', command['orientation'])):
            for name, value in zip('xyzw', values):
                setattr(getattr(link.transform, part), name, float(value))
        self.publishers[command['topic']].publish(TFMessage(transforms=[link]))
        return {}

    def twist(self, command):
        message = TwistStamped()
        message.header.frame_id = command.get('frame', '')
        message.header.stamp.sec, message.header.stamp.nanosec = command['stamp']
        message.twist.linear.x = float(command['speed'])
        self.publishers[command['topic']].publish(message)
        return {}

    def camera_info(self, command):
        model = command.get('model', 'plumb_bob')
        info = CameraInfo(width=command['width'], height=command['height'], distortion_model=model)
        info.header.frame_id = command['frameId']
        info.k, info.p, info.d = ([float(value) for value in command[name]] for name in 'kpd')
        info.r = [float(value) for value in command.get('r', [1, 0, 0, 0, 1, 0, 0, 0, 1])]
        info.binning_x, info.binning_y = command.get('binning', (0, 0))
        roi = command.get('roi')
        if roi:
            info.roi.x_offset, info.roi.y_offset = roi['xOffset'], roi['yOffset']
            info.roi.width, info.roi.height = roi['width'], roi['height']
        self.publishers[command['topic']].publish(info)
        return {}

    def run_model(self, command):
        """The answers of Python's onnxruntime for a sequence of network-size frames, features carried along."""
        import onnxruntime

        session = onnxruntime.InferenceSession(command['model'], providers=['CPUExecutionProvider'])
        shapes = {entry.name: entry.shape for entry in session.get_inputs()}
        previous = np.zeros(shapes['previous_features'], np.float32)
        names = [entry.name for entry in session.get_outputs()]
        answers = []
        for data in command['images']:
            image = np.frombuffer(base64.b64decode(data), np.uint8).reshape(shapes['image'])
            outputs = dict(zip(names, session.run(None, {'image': image, 'previous_features': previous})))
            previous = outputs['features']
            answers.append({name: base64.b64encode(value.tobytes()).decode() for name, value in outputs.items()})
        return {'answers': answers}

    def call(self, kind, service, request):
        client = self.node.create_client(kind, service)
        client.wait_for_service()
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        done.wait()
        return future.result()

    def set_bool(self, command):
        response = self.call(SetBool, command['service'], SetBool.Request(data=command['value']))
        return {'success': response.success, 'message': response.message}

    def trigger(self, command):
        """`wait` false: nobody is going to answer."""
        if not command.get('wait', True):
            client = self.node.create_client(Trigger, command['service'])
            client.wait_for_service()
            client.call_async(Trigger.Request())
            return {}
        response = self.call(Trigger, command['service'], Trigger.Request())
        return {'success': response.success, 'message': response.message}

    def set_parameter(self, command):
        if isinstance(command['value'], bool):
            value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=command['value'])
        elif isinstance(command['value'], str) and not command.get('double'):
            value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=command['value'])
        elif command.get('integer'):
            value = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=command['value'])
        else:
            value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(command['value']))
        if 'type' in command:
            value.type = command['type']
        request = SetParameters.Request(parameters=[Parameter(name=command['name'], value=value)])
        result = self.call(SetParameters, f"{command['node']}/set_parameters", request).results[0]
        return {'successful': result.successful, 'reason': result.reason}

    def describe_parameters(self, command):
        """Of all parameters the node has where no names are given."""
        names = command.get('names')
        if names is None:
            names = self.call(ListParameters, f"{command['node']}/list_parameters", ListParameters.Request()).result.names
        request = DescribeParameters.Request(names=names)
        result = self.call(DescribeParameters, f"{command['node']}/describe_parameters", request)
        return {'descriptors': [descriptor_fields(one) for one in result.descriptors]}

    def get_parameter(self, command):
        request = GetParameters.Request(names=[command['name']])
        value = self.call(GetParameters, f"{command['node']}/get_parameters", request).values[0]
        return {'value': parameter_value(value)}


def spin(node):
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        pass


def main():
    rclpy.init()
    peer = Peer(sys.argv[1:])
    threading.Thread(target=spin, args=(peer.node,), daemon=True).start()
    for line in sys.stdin:
        command = json.loads(line)
        say({'answer': command['id']} | getattr(peer, command['op'])(command))
    rclpy.shutdown()


main()
