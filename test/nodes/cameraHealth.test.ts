import { CameraHealth, type CameraPicture } from '../../src/nodes/cameraHealth';

const TOPIC = '/front/image_raw';
const well: CameraPicture = {
  imageTopic: TOPIC,
  publishers: 1,
  lastImageMs: 10_000,
  framesIn: 25,
  rejected: 0,
  black: 0,
  hasCameraInfo: true,
  topicFaults: [],
};
const mismatch = `no images on ${TOPIC}: publisher /cam offers best effort, we ask reliable`;

const look = (changes: Partial<CameraPicture>, nowMs = 10_000) =>
  new CameraHealth().look(nowMs, { ...well, ...changes });

test.each<[string, Partial<CameraPicture>, number, object]>([
  ['images arrive', {}, 10_500, { level: 0, message: 'images arrive' }],
  ['a pause', {}, 11_000, { level: 1, message: `no image on ${TOPIC} for 1 s: its publisher is silent` }],
  ['a dead camera', {}, 15_000, { level: 2, message: `no image on ${TOPIC} for 5 s: its publisher is silent` }],
  ['nobody there', { publishers: 0 }, 15_000, { level: 2, message: expect.stringContaining('nobody publishes there') }],
  [
    'a mismatch',
    { publishers: 0, topicFaults: [mismatch] },
    11_500,
    { level: 2, message: `no image on ${TOPIC} for 2 s; ${mismatch}` },
  ],
  ['a mismatch beside a good one', { topicFaults: [mismatch] }, 10_000, { level: 1, message: mismatch }],
  ['all refused', { rejected: 25 }, 10_000, { level: 2, message: 'all images are refused: the log names the field' }],
  ['some refused', { rejected: 5 }, 10_000, { level: 1, message: expect.stringContaining('5 of 25 images') }],
  ['black', { black: 20, rejected: 5 }, 10_000, { level: 1, message: expect.stringContaining('black') }],
  ['one black frame', { black: 1 }, 10_000, { level: 0 }],
  ['no camera_info', { hasCameraInfo: false }, 10_000, { level: 1, message: expect.stringContaining('camera_info') }],
])('%s', (_, changes, nowMs, found) => {
  expect(look(changes, nowMs)).toMatchObject(found);
});

test('counts are those since the look before, also after a reset', () => {
  const health = new CameraHealth();
  expect(health.look(10_000, { ...well, rejected: 25 }).level).toBe(2);
  expect(health.look(11_000, { ...well, lastImageMs: 11_000, framesIn: 50, rejected: 25 }).level).toBe(0);
  expect(health.look(12_000, { ...well, lastImageMs: 12_000, framesIn: 3, rejected: 0 }).level).toBe(0);
});
