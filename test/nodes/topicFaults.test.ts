import { BEST_EFFORT, RELIABLE, TRANSIENT_LOCAL, VOLATILE } from '../../src/nodes/ros/qosPolicies';
import type { Endpoint } from '../../src/nodes/ros/rclnodejs';
import { deafSubscribers, unheardPublishers, type OwnEnd } from '../../src/nodes/ros/topicFaults';

const IMAGE = 'sensor_msgs/msg/Image';

function end(reliability: number, durability: number, type = IMAGE): Endpoint {
  return {
    node_name: 'cam',
    node_namespace: '/front',
    topic_type: type,
    qos_profile: { history: 1, depth: 5, reliability, durability },
  };
}
const own = (reliability: number, durability: number): OwnEnd => ({
  topic: '/x',
  type: IMAGE,
  qos: { reliability, durability },
  what: 'images',
});
const graph = (ends: Endpoint[]) => ({ getPublishersInfoByTopic: () => ends, getSubscriptionsInfoByTopic: () => ends });

const qualities = [RELIABLE, BEST_EFFORT].flatMap((reliability) =>
  [TRANSIENT_LOCAL, VOLATILE].map((durability) => ({ reliability, durability })),
);

test('of the 16 pairs those are faults that DDS does not match, and each names both sides', () => {
  for (const offered of qualities) {
    for (const asked of qualities) {
      const matched =
        (asked.reliability === BEST_EFFORT || offered.reliability === RELIABLE) &&
        (asked.durability === VOLATILE || offered.durability === TRANSIENT_LOCAL);
      const unheard = unheardPublishers(
        graph([end(offered.reliability, offered.durability)]),
        own(asked.reliability, asked.durability),
      );
      const deaf = deafSubscribers(
        graph([end(asked.reliability, asked.durability)]),
        own(offered.reliability, offered.durability),
      );
      expect({ offered, asked, unheard: unheard.length, deaf: deaf.length }).toMatchObject({
        unheard: matched ? 0 : 1,
        deaf: matched ? 0 : 1,
      });
    }
  }
  expect(unheardPublishers(graph([end(BEST_EFFORT, VOLATILE)]), own(RELIABLE, VOLATILE))).toEqual([
    'no images on /x: publisher /front/cam offers best effort, we ask reliable',
  ]);
  expect(deafSubscribers(graph([end(RELIABLE, TRANSIENT_LOCAL)]), own(RELIABLE, VOLATILE))).toEqual([
    'no images on /x for subscriber /front/cam: it asks transient local, we offer volatile',
  ]);
});

test('another type on the topic is named', () => {
  const compressed = end(RELIABLE, VOLATILE, 'sensor_msgs/msg/CompressedImage');
  expect(unheardPublishers(graph([compressed]), own(BEST_EFFORT, VOLATILE))).toEqual([
    'no images on /x: publisher /front/cam publishes sensor_msgs/msg/CompressedImage, we have sensor_msgs/msg/Image',
  ]);
});
