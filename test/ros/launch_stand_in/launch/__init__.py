"""Stand-in for ROS 2 launch: keeps what the launch files say, so that a test can read it."""


class LaunchDescription:
    def __init__(self, initial_entities=None):
        self.entities = list(initial_entities or [])
