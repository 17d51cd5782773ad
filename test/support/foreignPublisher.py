"""
A publisher of std_msgs/String on the DDS topic that is given (rt/front-camera), as a program has that speaks DDS without ROS: past rcl, which would refuse a
name that is none in ROS. Says "ready", and ends when stdin does.
"""

import ctypes
import os
import sys

import rclpy

KEEP_LAST, RELIABLE, VOLATILE = 1, 1, 2


class Qos(ctypes.Structure):
    """rmw_qos_profile_t"""

    _fields_ = [
        ('history', ctypes.c_int),
        ('depth', ctypes.c_size_t),
        ('reliability', ctypes.c_int),
        ('durability', ctypes.c_int),
        ('deadline', ctypes.c_uint64 * 2),
        ('lifespan', ctypes.c_uint64 * 2),
        ('liveliness', ctypes.c_int),
        ('liveliness_lease_duration', ctypes.c_uint64 * 2),
        ('avoid_ros_namespace_conventions', ctypes.c_bool),
    ]


class PublisherOptions(ctypes.Structure):
    """rmw_publisher_options_t"""

    _fields_ = [('payload', ctypes.c_void_p), ('unique_network_flow_endpoints', ctypes.c_int)]


def function(library, name, result, *arguments):
    found = getattr(ctypes.CDLL(library), name)
    found.restype, found.argtypes = result, arguments
    return found


rclpy.init()
node = rclpy.create_node('foreign')
handle_of = function('librcl.so', 'rcl_node_get_rmw_handle', ctypes.c_void_p, ctypes.c_void_p)
support = 'rosidl_typesupport_c__get_message_type_support_handle__std_msgs__msg__String'
support_of = function('libstd_msgs__rosidl_typesupport_c.so', support, ctypes.c_void_p)
pointers = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(Qos), ctypes.POINTER(PublisherOptions)]
create = function(f"lib{os.environ['RMW_IMPLEMENTATION']}.so", 'rmw_create_publisher', ctypes.c_void_p, *pointers)
quality = Qos(history=KEEP_LAST, depth=1, reliability=RELIABLE, durability=VOLATILE, avoid_ros_namespace_conventions=True)
with node.handle:
    publisher = create(handle_of(node.handle.pointer), support_of(), sys.argv[1].encode(), quality, PublisherOptions())
if not publisher:
    sys.exit('no publisher')
print('ready', flush=True)
sys.stdin.read()
