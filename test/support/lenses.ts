/** Distorted cameras of 1280x720 for tests: one of each model of camera_info. */

export interface TestLens {
  readonly model: string;
  readonly k: number[];
  readonly d: number[];
  readonly r: number[];
  /** The view wanted. */
  readonly p: number[];
}

const STRAIGHT = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** About x, then y, radians. */
function turned(x: number, y: number): number[] {
  const [sx, cx, sy, cy] = [Math.sin(x), Math.cos(x), Math.sin(y), Math.cos(y)];
  return [cy, sx * sy, cx * sy, 0, cx, -sx, -sy, sx * cy, cx * cy];
}

const k = (fx: number, fy: number, cx: number, cy: number): number[] => [fx, 0, cx, 0, fy, cy, 0, 0, 1];
const p = (fx: number, fy: number, cx: number, cy: number): number[] => [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0];

export const LENSES: readonly (readonly [string, TestLens])[] = [
  [
    'plumb_bob',
    {
      model: 'plumb_bob',
      k: k(1157, 1152, 667, 386),
      d: [-0.256779, 0.043388, -0.000687, 0.000126, -0.115031],
      r: STRAIGHT,
      p: p(1157, 1152, 667, 386),
    },
  ],
  [
    'plumb_bob of a stereo pair, turned and zoomed',
    {
      model: 'plumb_bob',
      k: k(900, 905, 652, 341),
      d: [-0.31, 0.12, 0.0012, -0.0008, -0.021],
      r: turned(0.02, -0.035),
      p: p(780, 780, 610, 350),
    },
  ],
  [
    'plumb_bob, pincushion',
    {
      model: 'plumb_bob',
      k: k(1000, 1000, 640, 360),
      d: [0.22, -0.05, 0, 0, 0],
      r: STRAIGHT,
      p: p(1000, 1000, 640, 360),
    },
  ],
  [
    'rational_polynomial',
    {
      model: 'rational_polynomial',
      k: k(620, 622, 636, 365),
      d: [9.5, 4.2, 0.0002, -0.00015, 0.12, 9.9, 7.6, 1.1],
      r: turned(-0.01, 0.015),
      p: p(560, 560, 640, 360),
    },
  ],
  [
    'equidistant',
    {
      model: 'equidistant',
      k: k(430, 431, 641, 358),
      d: [-0.012, 0.021, -0.018, 0.004],
      r: STRAIGHT,
      p: p(330, 330, 640, 360),
    },
  ],
  [
    'equidistant, turned',
    {
      model: 'equidistant',
      k: k(520, 519, 633, 371),
      d: [0.05, -0.01, 0.003, 0],
      r: turned(0.05, 0.1),
      p: p(400, 400, 640, 300),
    },
  ],
  [
    'no distortion, but a turned and zoomed view in P',
    {
      model: 'plumb_bob',
      k: k(900, 905, 652, 341),
      d: [0, 0, 0, 0, 0],
      r: turned(0.02, -0.035),
      p: p(1010, 1010, 610, 350),
    },
  ],
];
