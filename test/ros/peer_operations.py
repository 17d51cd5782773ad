"""What a lifecycle manager, an operator and an enemy do to a node: the part of peer.py that is about operations."""

import array
import base64
import importlib
import threading
import time

from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, GetParameterTypes, SetParameters, SetParametersAtomically
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image

OPERATIONS_TYPES = {'TransitionEvent': TransitionEvent, 'CompressedImage': CompressedImage}

KINDS = {kind.__name__: kind for kind in (DescribeParameters, GetParameters, GetParameterTypes)}


def operations_fields(message):
    if isinstance(message, TransitionEvent):
        return {
            'stamp': [0, 0],
            'from': message.start_state.label,
            'to': message.goal_state.label,
        }
    return {'stamp': [message.header.stamp.sec, message.header.stamp.nanosec]}


def stream_frames(command):
    """What is in the file `path`, and the message that carries it: rgb8 frames; with `compressed` JPEGs, each after its length (uint32)."""
    with open(command['path'], 'rb') as file:
        content = file.read()
    if command.get('compressed'):
        frames, at = [], 0
        while at < len(content):
            end = at + 4 + int.from_bytes(content[at : at + 4], 'little')
            frames.append(array.array('B', content[at + 4 : end]))
            at = end
        return frames, CompressedImage(format='rgb8; jpeg compressed bgr8')
    size = command['width'] * command['height'] * 3
    frames = [content[at : at + size] for at in range(0, len(content), size)]
    return frames, Image(width=command['width'], height=command['height'], step=command['width'] * 3, encoding='rgb8')


class Operations:
    def get_state(self, command):
        state = self.call(GetState, f"{command['node']}/get_state", GetState.Request()).current_state
        return {'state': state.label, 'id': state.id}

    def get_available_states(self, command):
        result = self.call(GetAvailableStates, f"{command['node']}/get_available_states", GetAvailableStates.Request())
        return {'states': [state.label for state in result.available_states]}

    def get_available_transitions(self, command):
        request = GetAvailableTransitions.Request()
        result = self.call(GetAvailableTransitions, f"{command['node']}/get_available_transitions", request)
        return {
            'transitions': [
                [one.transition.label, one.start_state.label, one.goal_state.label]
                for one in result.available_transitions
            ]
        }

    def change_state(self, command):
        """By `label`, or by `number`. `wait` false: the answer comes when it likes."""
        request = ChangeState.Request(
            transition=Transition(id=command.get('number', 0), label=command.get('label', ''))
        )
        service = f"{command['node']}/change_state"
        if command.get('wait', True):
            return {'success': self.call(ChangeState, service, request).success}
        self.send(ChangeState, service, request)
        return {}

    def wait_publishers(self, command):
        """Answers once somebody publishes on each of the topics."""
        while any(self.node.count_publishers(topic) == 0 for topic in command['topics']):
            time.sleep(0.02)
        return {}

    def raw(self, command):
        """Publishes bytes in the place of a message, `times` times."""
        message = base64.b64decode(command['data'])
        for _ in range(command.get('times', 1)):
            self.publishers[command['topic']].publish(message)
        return {}

    def barrage(self, command):
        """Bytes in the place of messages, on several topics: [topic, base64, times]; slowly enough for a node to see most of them."""
        for topic, data, times in command['messages']:
            message = base64.b64decode(data)
            for _ in range(times):
                self.publishers[topic].publish(message)
            time.sleep(command.get('gap', 0.0005))
        return {}

    def publish_until_stopped(self, command):
        """One image over and over, `rate` a second, until `stop_publishing`."""
        stopping = self.stop_event = threading.Event()

        def publish():
            number = 0
            while not stopping.wait(1 / command['rate']):
                number += 1
                self.image(command | {'stamp': [2000 + number // 20, number % 20 * 50_000_000]})

        self.publishing = threading.Thread(target=publish, daemon=True)
        self.publishing.start()
        return {}

    def stop_publishing(self, _):
        self.stop_event.set()
        self.publishing.join()
        return {}

    def node_interface(self, command):
        """Topics and services of a node, as the graph has them."""
        namespace, _, name = command['node'].rpartition('/')
        namespace = namespace or '/'
        while (name, namespace) not in self.node.get_node_names_and_namespaces():
            time.sleep(0.02)
        return {
            'publishers': sorted(topic for topic, _ in self.node.get_publisher_names_and_types_by_node(name, namespace)),
            'subscribers': sorted(topic for topic, _ in self.node.get_subscriber_names_and_types_by_node(name, namespace)),
            'services': sorted(topic for topic, _ in self.node.get_service_names_and_types_by_node(name, namespace)),
        }

    def unanswered(self, command):
        """A request about parameters that may have no answer."""
        self.send(KINDS[command['kind']], command['service'], KINDS[command['kind']].Request(names=command['names']))
        return {}

    def unanswered_set(self, command):
        value = ParameterValue(type=command['type'])
        request = SetParameters.Request(parameters=[Parameter(name=command['name'], value=value)])
        self.send(SetParameters, f"{command['node']}/set_parameters", request)
        return {}

    def set_parameters_atomically(self, command):
        """Doubles by their names, in one request; as pairs [name, value] where a name comes twice."""
        values = command['values']
        pairs = values.items() if isinstance(values, dict) else values
        request = SetParametersAtomically.Request(
            parameters=[
                Parameter(name=name, value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(value)))
                for name, value in pairs
            ]
        )
        result = self.call(SetParametersAtomically, f"{command['node']}/set_parameters_atomically", request).result
        return {'successful': result.successful, 'reason': result.reason}

    def unheard(self, command):
        """A request whose answer cannot be delivered, as of a client that has gone: the client asks for what no service offers its answers with."""
        package, _, kind = command['type'].split('/')
        service = getattr(importlib.import_module(f'{package}.srv'), kind)
        profile = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client = self.node.create_client(service, command['service'], qos_profile=profile)
        client.call_async(service.Request())
        return {}

    def send(self, kind, service, request):
        """By one client for each service: it keeps the requests' order."""
        clients = self.__dict__.setdefault('clients', {})
        if service not in clients:
            clients[service] = self.node.create_client(kind, service)
            clients[service].wait_for_service()
        clients[service].call_async(request)
