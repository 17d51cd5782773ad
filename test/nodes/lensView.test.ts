import { lensView, type LensViewOptions } from '../../src/nodes/lensView';
import { WHOLE_IMAGE, type CameraInfoMessage } from '../../src/nodes/ros/messages';

const NONE = new Array<number>(12).fill(0);
const STRAIGHT = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const distorted: CameraInfoMessage = {
  header: { stamp: { sec: 0, nanosec: 0 }, frameId: '' },
  width: 640,
  height: 480,
  distortionModel: 'plumb_bob',
  d: [-0.2, 0.05, 0, 0, 0],
  k: [500, 0, 320, 0, 500, 240, 0, 0, 1],
  r: STRAIGHT,
  p: [450, 0, 310, -45, 0, 450, 230, 0, 0, 0, 1, 0],
  binningX: 0,
  binningY: 0,
  roi: WHOLE_IMAGE,
};
const view = (info: object = {}, options: Partial<LensViewOptions> = {}) =>
  lensView({ ...distorted, ...info }, { imageTopic: '/front/image_raw', rectify: true, rectified: false, ...options });

const rectifiedInfo = {
  d: [0, 0, 0, 0, 0],
  k: [450, 0, 310, 0, 450, 230, 0, 0, 1],
  r: STRAIGHT,
  p: distorted.p, // with the baseline of a right camera
};

test('a distorted camera: the view of P', () => {
  const { info, distorted: camera, fault } = view();
  expect(info).toMatchObject(rectifiedInfo);
  expect(camera).toMatchObject({ camera: { fx: 500, cy: 240 }, rotation: STRAIGHT });
  expect(fault).toBeUndefined();
});

test('drivers that leave r and p zero: no rotation, and the view of K, which a barrel lens covers', () => {
  const { info, distorted: camera } = view({ r: NONE.slice(0, 9), p: NONE });
  expect(camera!.rotation).toEqual(STRAIGHT);
  expect(info.k).toEqual(distorted.k);
  expect(info.p).toEqual([500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0]);
});

test.each([
  ['without distortion', { d: [0, 0, 0, 0, 0] }, {}],
  ['without coefficients', { d: [], distortionModel: '' }, {}],
  ['with rectify never', {}, { rectify: false }],
])('%s the image is seen as it comes', (_, fields, options) => {
  const { info, distorted: camera, fault } = view(fields, options);
  expect(info).toEqual({ ...distorted, ...fields });
  expect(camera).toBeUndefined();
  expect(fault).toBeUndefined();
});

test.each([
  { imageTopic: '/front/image_rect' },
  { imageTopic: '/front/image_rect_color/compressed' },
  { rectified: true },
  { rectified: true, rectify: false },
])('rectified already (%j): P holds, nothing is done', (options) => {
  const { info, distorted: camera } = view({}, options);
  expect(info).toMatchObject(rectifiedInfo);
  expect(camera).toBeUndefined();
});

test('what cannot be used is said, and the image is seen as it comes', () => {
  expect(view({ p: NONE }, { rectified: true })).toMatchObject({
    fault: 'p has no focal length; parameter rectified needs it',
    info: { d: distorted.d },
  });
  const unknown = view({ distortionModel: 'thin_prism' });
  expect(unknown.fault).toContain('distortion_model is "thin_prism" with 5 coefficients');
  expect(unknown).toMatchObject({ distorted: undefined, info: { d: distorted.d, distortionModel: 'thin_prism' } });
});
