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
  p: [450, 0, 310, 0, 0, 450, 230, 0, 0, 0, 1, 0], // without the baseline of a right camera: depth is of this one's centre
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

/** The camera of distorted, without its lens; of a vertical pair, the lower one. */
const straight = { d: [0, 0, 0, 0, 0], p: [500, 0, 320, -50, 0, 500, 240, -50, 0, 0, 1, 0] };
const ofStraight = [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0];
const ofK = { d: [0, 0, 0, 0, 0], distortionModel: 'plumb_bob', k: distorted.k, r: STRAIGHT };

test.each([
  ['P says the same', {}, ofStraight],
  ['P says the same to a tenth of a pixel', { p: [500.05, 0, 320.03, 0, 0, 500, 240, 0, 0, 0, 1, 0] }, undefined],
  ['there are no coefficients', { d: [], distortionModel: '' }, ofStraight],
  ['r is zero', { r: NONE.slice(0, 9) }, ofStraight],
  ['P is zero', { p: NONE }, ofStraight],
  ['P is the unit matrix', { p: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0] }, ofStraight],
])('without distortion, where %s, the image is seen as it comes, and K and P are one', (_, fields, p) => {
  const { info, distorted: camera, fault } = view({ ...straight, ...fields });
  expect(info.p).toEqual(p ?? (fields as { p: number[] }).p);
  expect(info).toMatchObject({ ...ofK, k: [info.p[0], 0, info.p[2], 0, 500, 240, 0, 0, 1] });
  expect(camera).toBeUndefined();
  expect(fault).toBeUndefined();
});

const TURNED = [Math.cos(0.02), 0, Math.sin(0.02), 0, 1, 0, -Math.sin(0.02), 0, Math.cos(0.02)];
test.each([
  ['another camera in P', { p: distorted.p }],
  ['a turned view', { r: TURNED }],
])('without distortion, but with %s: the view of P, for P is what depth_image_proc takes', (_, fields) => {
  const { info, distorted: camera, fault } = view({ ...straight, ...fields });
  const { p: given } = { ...straight, ...fields };
  const p = Array.from(given, (value, i) => (i === 3 || i === 7 ? 0 : value)); // no baseline
  expect(info).toMatchObject({ d: [0, 0, 0, 0, 0], k: [p[0], 0, p[2], 0, p[5], p[6], 0, 0, 1], r: STRAIGHT, p });
  expect(camera).toMatchObject({ camera: { fx: 500, cy: 240 } });
  expect(camera!.rotation).toEqual((fields as { r?: number[] }).r ?? STRAIGHT);
  expect(fault).toBeUndefined();
});

test('rectify never: as it comes, with its coefficients, and P is no longer of a view that is not published', () => {
  const { info, distorted: camera, fault } = view({ r: TURNED }, { rectify: false });
  expect(info).toEqual({ ...distorted, p: [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0] });
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

test('on a topic named image_rect with no P: the image has no distortion any more, K is all there is', () => {
  const { info, distorted: camera, fault } = view({ p: NONE }, { imageTopic: '/front/image_rect' });
  expect(info).toMatchObject({ ...ofK, p: [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0] });
  expect([camera, fault]).toEqual([undefined, undefined]);
});

test('what cannot be used is said, and the image is seen as it comes', () => {
  expect(view({ p: NONE }, { rectified: true })).toMatchObject({
    fault: 'p has no focal length; parameter rectified needs it',
    info: { d: distorted.d, p: [500, 0, 320, 0, 0, 500, 240, 0, 0, 0, 1, 0] },
  });
  expect(view({ ...straight, r: [1, 1, 0, 0, 1, 0, 0, 0, 1] })).toMatchObject({ fault: 'r is no rotation', info: ofK });
  const unknown = view({ distortionModel: 'thin_prism' });
  expect(unknown.fault).toContain('distortion_model is "thin_prism" with 5 coefficients');
  expect(unknown).toMatchObject({ distorted: undefined, info: { d: distorted.d, distortionModel: 'thin_prism' } });
});
