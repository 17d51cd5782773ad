"""
Plays a recording through the depth node; ends when the recording ends.

    ros2 launch depthgrad replay.launch.py source:=drive.mp4 calibration:=calib.yaml rviz:=true
    ros2 launch depthgrad replay.launch.py source:=drive_bag image:=/front/image_raw clock:=100.0 use_sim_time:=true

A bag's messages keep their own topics: `image` then says which one the depth node takes.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description():
    share = get_package_share_directory('depthgrad')
    namespace = LaunchConfiguration('namespace')
    use_sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    params_file = LaunchConfiguration('params_file')

    def text(name):  # a file called 007 is not the number 7
        return ParameterValue(LaunchConfiguration(name), value_type=str)

    remappings = [('image', LaunchConfiguration('image')), ('camera_info', LaunchConfiguration('camera_info'))]

    arguments = [
        DeclareLaunchArgument('source', description='Video file, folder of images, /dev/videoN or ROS 2 bag.'),
        DeclareLaunchArgument(
            'calibration', default_value='', description='calib.yaml; empty: the one in or beside the source.'
        ),
        DeclareLaunchArgument('rate', default_value='1.0', description="Multiple of the source's rate; 0: no waiting."),
        DeclareLaunchArgument('loop', default_value='false', description='Begin again after the end.'),
        DeclareLaunchArgument('start', default_value='0.0', description='Seconds into the source.'),
        DeclareLaunchArgument('topics', default_value='', description='Of a bag: topics to play, separated by commas; empty: all.'),
        DeclareLaunchArgument('clock', default_value='0.0', description="Of a bag: its time on /clock so often a second; 0: not."),
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of all nodes.'),
        DeclareLaunchArgument('image', default_value='/camera/image_raw', description='Image topic.'),
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
        DeclareLaunchArgument('use_sim_time', default_value='false', description='Take the time from /clock.'),
        DeclareLaunchArgument('rviz', default_value='false', description='Show camera, depth and confidence in RViz.'),
        DeclareLaunchArgument(
            'rviz_frame',
            default_value='camera_optical_frame',
            description="Fixed frame of RViz: the frame_id of the camera's images, or one that tf connects with it.",
        ),
    ]

    # Without this profile's larger shared-memory segment Fast DDS loses most best-effort images. Fast DDS 2 (humble, jazzy) reads the
    # first name; 3 the second, and every node warns of the first.
    environment = []
    names = ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE']
    if not any(name in os.environ for name in names):
        name = names[0 if os.environ.get('ROS_DISTRO') in ('humble', 'jazzy') else 1]
        environment.append(SetEnvironmentVariable(name, os.path.join(share, 'config', 'fastdds_shm.xml')))

    depth_node = Node(
        package='depthgrad',
        executable='depth_node',
        namespace=namespace,
        output='screen',
        parameters=[params_file, {'model': text('model'), 'use_sim_time': use_sim_time}],
        remappings=remappings,
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
                'rate': ParameterValue(LaunchConfiguration('rate'), value_type=float),
                'loop': ParameterValue(LaunchConfiguration('loop'), value_type=bool),
                'start': ParameterValue(LaunchConfiguration('start'), value_type=float),
                'topics': text('topics'),
                'clock': ParameterValue(LaunchConfiguration('clock'), value_type=float),
                'use_sim_time': use_sim_time,
            },
        ],
        remappings=remappings,
        on_exit=Shutdown(reason='the recording has ended'),
    )
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        namespace=namespace,
        arguments=['-d', os.path.join(share, 'rviz', 'depthgrad.rviz'), '-f', LaunchConfiguration('rviz_frame')],
        parameters=[{'use_sim_time': use_sim_time}],
        # from the layout's topics to those of this launch
        remappings=[
            ('/camera/image_raw', LaunchConfiguration('image')),
            *((f'/depth_node/{name}', f'depth_node/{name}') for name in ('depth', 'confidence', 'camera_info')),
        ],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )
    return LaunchDescription([*arguments, *environment, depth_node, replay_node, rviz])
