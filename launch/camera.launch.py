"""
Depth, gradient and ego-motion of a camera.

    ros2 launch depthgrad camera.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
    ros2 launch depthgrad camera.launch.py driver:=v4l2 video_device:=/dev/video0
    ros2 launch depthgrad camera.launch.py driver:=replay source:=drive.mp4 rviz:=true
    ros2 launch depthgrad camera.launch.py image:=/camera/image_raw adaptation:=true
    ros2 launch depthgrad camera.launch.py cameras:=front,rear threads:=4

Several cameras: for each a depth_node in a namespace of the camera's name, on image_raw and camera_info there, from drivers that are
running already. The threads are divided among them; odom -> base_frame has one owner, so publish_tf of params_file holds for the first.

    ros2 launch depthgrad camera.launch.py image:=/camera/image_raw dashboard:=true        # http://127.0.0.1:8420/
"""

import os
import re

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def camera_names(text):
    names = [name.strip() for name in text.split(',') if name.strip()]
    for name in names:
        if not re.fullmatch(r'[A-Za-z_]\w*(/[A-Za-z_]\w*)*', name, re.ASCII):
            raise RuntimeError(f'cameras: {name!r} cannot be a namespace; letters, digits and _ can')
    if len(set(names)) < len(names):
        raise RuntimeError(f'cameras: {text!r} names a camera twice')
    return names


def threads_of_each(text, cameras):
    """What each depth_node is given of the budget; nothing where params_file is to say."""
    if not text and cameras < 2:
        return {}
    if text and not text.isdecimal():
        raise RuntimeError(f'threads: {text!r} is not a number of threads')
    budget = int(text) if text else len(os.sched_getaffinity(0))
    return {'threads': min(64, max(1, budget // max(1, cameras)))}  # the parameter's range


def generate_launch_description():
    share = get_package_share_directory('depthgrad')
    namespace = LaunchConfiguration('namespace')
    use_sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    image = LaunchConfiguration('image')
    camera_info = LaunchConfiguration('camera_info')
    params_file = LaunchConfiguration('params_file')

    def text(name):  # a file called 007 is not the number 7
        return ParameterValue(LaunchConfiguration(name), value_type=str)

    def driver_is(name):
        return IfCondition(PythonExpression(["'", LaunchConfiguration('driver'), f"' == '{name}'"]))

    arguments = [
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of all nodes.'),
        DeclareLaunchArgument(
            'cameras',
            default_value='',
            description='Several cameras by their namespaces, as in front,rear; empty: one. Their drivers run already.',
        ),
        DeclareLaunchArgument(
            'threads',
            default_value='',
            description='CPU threads of all depth nodes together, divided equally. Empty: those of params_file for one camera, '
            'the cores of the machine for several.',
        ),
        DeclareLaunchArgument(
            'image',
            default_value=PythonExpression(
                ["'image_raw' if '", LaunchConfiguration('cameras'), "' else '/camera/image_raw'"]
            ),
            description='Image topic; of several cameras: relative, in the namespace of each.',
        ),
        DeclareLaunchArgument(
            'camera_info',
            default_value=PythonExpression(
                ["''.join('", LaunchConfiguration('image'), "'.rpartition('/')[:2]) + 'camera_info'"]
            ),
            description='Its camera_info topic; by default the one beside the image topic.',
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=os.path.join(share, 'config', 'camera.yaml'),
            description='Parameters of the nodes; the default documents every one.',
        ),
        DeclareLaunchArgument(
            'model',
            default_value=os.path.join(share, 'models', 'default.onnx'),
            description='ONNX model; stands above the one in params_file.',
        ),
        DeclareLaunchArgument(
            'autostart',
            default_value='true',
            description='depth_node configures and activates itself; false leaves that to a lifecycle manager. Stands above the one in params_file.',
        ),
        DeclareLaunchArgument('use_sim_time', default_value='false', description='Take the time from /clock.'),
        DeclareLaunchArgument(
            'adaptation', default_value='false', description='Keep learning on the vehicle: starts adaptation_node.'
        ),
        DeclareLaunchArgument(
            'adaptation_source',
            default_value='',
            description='Drives the model was trained on, for adaptation:=true; by default those of params_file, else the '
            'sample drives.',
        ),
        DeclareLaunchArgument(
            'dashboard',
            default_value='false',
            description='Show everything in a browser: starts dashboard_node, which says the address of its page.',
        ),
        DeclareLaunchArgument('rviz', default_value='false', description='Show camera, depth and confidence in RViz.'),
        DeclareLaunchArgument(
            'rviz_frame',
            default_value='camera_optical_frame',
            description="Fixed frame of RViz: the frame_id of the camera's images, or one that tf connects with it.",
        ),
        DeclareLaunchArgument(
            'driver',
            default_value='none',
            choices=['none', 'v4l2', 'replay'],
            description='Where images come from: a camera driver already running (none), the package v4l2_camera, '
            'or replay_node (with source:=).',
        ),
        DeclareLaunchArgument('video_device', default_value='/dev/video0', description='Camera of driver:=v4l2.'),
        DeclareLaunchArgument(
            'camera_info_url',
            default_value='',
            description="Calibration of driver:=v4l2 as ROS' camera_calibration writes it (file:///...); empty: what it was told to keep.",
        ),
        DeclareLaunchArgument(
            'source', default_value='', description='Video, image folder or /dev/videoN of driver:=replay.'
        ),
        DeclareLaunchArgument('calibration', default_value='', description='calib.yaml of driver:=replay.'),
    ]

    # Without this profile's larger shared-memory segment Fast DDS loses most best-effort images. Fast DDS 2 (humble, jazzy) reads the
    # first name; 3 the second, and every node warns of the first.
    environment = []
    names = ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE']
    if not any(name in os.environ for name in names):
        name = names[0 if os.environ.get('ROS_DISTRO') in ('humble', 'jazzy') else 1]
        environment.append(SetEnvironmentVariable(name, os.path.join(share, 'config', 'fastdds_shm.xml')))

    def depth_node(namespace, stands_above):
        return Node(
            package='depthgrad',
            executable='depth_node',
            namespace=namespace,
            output='screen',
            parameters=[
                params_file,
                {
                    'model': text('model'),
                    'autostart': ParameterValue(LaunchConfiguration('autostart'), value_type=bool),
                    'use_sim_time': use_sim_time,
                    **stands_above,
                },
            ],
            remappings=[('image', image), ('camera_info', camera_info)],
        )

    v4l2_camera = Node(
        package='v4l2_camera',
        executable='v4l2_camera_node',
        namespace=namespace,
        output='screen',
        parameters=[
            {
                'video_device': text('video_device'),
                'camera_info_url': text('camera_info_url'),
                'camera_frame_id': 'camera_optical_frame',  # the driver's own default, camera, reads like a body frame
                'use_sim_time': use_sim_time,
            }
        ],
        remappings=[('image_raw', image), ('camera_info', camera_info)],
        condition=driver_is('v4l2'),
    )
    replay_node = Node(
        package='depthgrad',
        executable='replay_node',
        namespace=namespace,
        output='screen',
        parameters=[
            params_file,
            {
                'source': text('source'),
                'camera_info': text('calibration'),
                'use_sim_time': use_sim_time,
            },
        ],
        remappings=[('image', image), ('camera_info', camera_info)],
        condition=driver_is('replay'),
    )
    def rviz(namespace, image):
        return Node(
            package='rviz2',
            executable='rviz2',
            namespace=namespace,
            arguments=['-d', os.path.join(share, 'rviz', 'depthgrad.rviz'), '-f', LaunchConfiguration('rviz_frame')],
            parameters=[{'use_sim_time': use_sim_time}],
            # from the layout's topics to those of this launch
            remappings=[
                ('/camera/image_raw', image),
                *((f'/depth_node/{name}', f'depth_node/{name}') for name in ('depth', 'confidence', 'camera_info')),
            ],
            condition=IfCondition(LaunchConfiguration('rviz')),
        )

    def dashboard(namespace, image):
        return Node(
            package='depthgrad',
            executable='dashboard_node',
            namespace=namespace,
            output='screen',
            parameters=[params_file, {'use_sim_time': use_sim_time}],
            remappings=[('image', image)],
            condition=IfCondition(LaunchConfiguration('dashboard')),
        )

    def adaptation_node(namespace, source, comparison):  # a source that is not given leaves the one of params_file
        wanted = ["'", LaunchConfiguration('adaptation'), "'.lower() in ('true', '1') and "]
        given = ["'", LaunchConfiguration('adaptation_source'), f"' {comparison} ''"]
        return Node(
            package='depthgrad',
            executable='adaptation_node',
            namespace=namespace,
            output='screen',
            parameters=[params_file, {'model': text('model'), 'use_sim_time': use_sim_time, **source}],
            remappings=[('image', image), ('camera_info', camera_info)],
            condition=IfCondition(PythonExpression([*wanted, *given])),
        )

    def camera_nodes(namespace, stands_above):
        return [
            depth_node(namespace, stands_above),
            adaptation_node(namespace, {}, '=='),
            adaptation_node(namespace, {'source': text('adaptation_source')}, '!='),
        ]

    def nodes(context):
        names = camera_names(LaunchConfiguration('cameras').perform(context))
        threads = threads_of_each(LaunchConfiguration('threads').perform(context), len(names))
        if not names:
            return [v4l2_camera, replay_node, *camera_nodes(namespace, threads), dashboard(namespace, image), rviz(namespace, image)]
        topic = image.perform(context)
        if topic.startswith('/'):
            raise RuntimeError(f'image: {topic} would be the same topic for every camera; give it without the first /')
        outer = namespace.perform(context).rstrip('/')
        namespaces = [f'{outer}/{name}' if outer else name for name in names]
        started = camera_nodes(namespaces[0], threads)
        for one in namespaces[1:]:
            started += camera_nodes(one, {**threads, 'publish_tf': False})
        return [*started, dashboard(namespaces[0], image), rviz(namespaces[0], image)]  # one window: of the first camera

    return LaunchDescription([*arguments, *environment, OpaqueFunction(function=nodes)])
