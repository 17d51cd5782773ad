"""
Records topics into a ROS 2 bag (sqlite3, with metadata.yaml) as rosbag2 lays it out: ros2 bag is not in every environment the tests run in.

Arguments: FOLDER COUNT TOPIC=TYPE... (sensor_msgs types). Ends after COUNT messages of the first topic. Messages are stored as they come, as CDR.
"""

import sqlite3
import sys
import time
from pathlib import Path

import rclpy
import sensor_msgs.msg
import yaml
from rclpy.qos import QoSProfile, ReliabilityPolicy

folder, wanted = Path(sys.argv[1]), int(sys.argv[2])
topics = [argument.split('=') for argument in sys.argv[3:]]
folder.mkdir()
name = f'{folder.name}_0.db3'
bag = sqlite3.connect(folder / name)
bag.executescript("""
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT NOT NULL,
  offered_qos_profiles TEXT NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
INSERT INTO schema VALUES (3, 'kilted');
""")
counts = {}
rclpy.init()
node = rclpy.create_node('recorder')
qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


def record(topic_id):
    def write(message):
        counts[topic_id] += 1
        bag.execute('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)', (topic_id, time.time_ns(), message))

    return write


for topic_id, (topic, kind) in enumerate(topics, 1):
    counts[topic_id] = 0
    bag.execute('INSERT INTO topics VALUES (?, ?, ?, ?, ?)', (topic_id, topic, f'sensor_msgs/msg/{kind}', 'cdr', ''))
    node.create_subscription(getattr(sensor_msgs.msg, kind), topic, record(topic_id), qos, raw=True)
while counts[1] < wanted:
    rclpy.spin_once(node)
bag.commit()
bag.close()
information = {
    'version': 5,
    'storage_identifier': 'sqlite3',
    'message_count': sum(counts.values()),
    'relative_file_paths': [name],
    'compression_format': '',
    'compression_mode': '',
}
(folder / 'metadata.yaml').write_text(yaml.safe_dump({'rosbag2_bagfile_information': information}))
rclpy.shutdown()
