import { cameraInfoFault, cameraInfoOfImage } from '../../src/nodes/ros/cameraInfo';
import { WHOLE_IMAGE } from '../../src/nodes/ros/messages';

const info = {
  header: { stamp: { sec: 0, nanosec: 0 }, frameId: 'lens' },
  width: 640,
  height: 480,
  distortionModel: 'plumb_bob',
  d: [],
  k: [500, 0, 320, 0, 510, 240, 0, 0, 1],
  r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  p: new Float64Array(12),
  binningX: 0,
  binningY: 0,
  roi: WHOLE_IMAGE,
};

test('a camera_info of the whole sensor is that of the image', () => {
  const { k, p, ...rest } = cameraInfoOfImage({ ...info, binningX: 1, binningY: 1 });
  expect(Array.from(k)).toEqual(info.k);
  expect(rest).toMatchObject({ width: 640, height: 480, binningX: 0, binningY: 0 });
  expect(Array.from(p).every((value) => value === 0)).toBe(true); // an unfilled P stays unfilled
});

test('a ray keeps its pixel through roi and binning', () => {
  const roi = { ...WHOLE_IMAGE, xOffset: 100, yOffset: 60, width: 400, height: 300 };
  const part = cameraInfoOfImage({ ...info, binningX: 2, binningY: 3, roi });
  expect(part).toMatchObject({ width: 200, height: 100, roi: WHOLE_IMAGE });
  // the sensor's pixel edges u - .5 lie on (u - offset - .5) / binning of the image
  const [x, y] = [0.2, -0.1];
  const sensor = [500 * x + 320, 510 * y + 240];
  const image = [part.k[0] * x + part.k[2], part.k[4] * y + part.k[5]];
  expect(image[0] + 0.5).toBeCloseTo((sensor[0] - 100 + 0.5) / 2, 9);
  expect(image[1] + 0.5).toBeCloseTo((sensor[1] - 60 + 0.5) / 3, 9);
});

test.each([
  ['k[0] (fx) is 0', { k: [0, 0, 320, 0, 510, 240, 0, 0, 1] }],
  ['d[1] is NaN', { d: [0, NaN] }],
  ['size is 0x480', { width: 0 }],
  [
    'roi is 600x100 at 100, 0, outside of width x height 640x480',
    { roi: { ...WHOLE_IMAGE, xOffset: 100, width: 600, height: 100 } },
  ],
])('fault: %s', (message, change) => {
  expect(cameraInfoFault(info)).toBeUndefined();
  expect(cameraInfoFault({ ...info, ...change })).toContain(message);
});
