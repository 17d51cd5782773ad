import {
  axisAngleFromRotation,
  compose,
  fromVector6,
  inverse,
  quaternionFromRotation,
  rightJacobian,
  rotationFromAxisAngle,
  rotationFromQuaternion,
  toMatrix4,
  fromMatrix4,
  toVector6,
  transformPoint,
} from '../../src/geometry/se3';

const VECTORS = [
  [0.3, -0.2, 1.5, 0.02, -0.4, 0.1],
  [0, 0, 0, 0, 0, 0],
  [1, 2, 3, 1e-7, -2e-7, 3e-8],
  [-1, 0.5, 2, 0.05, 0.06, -0.07],
  [5, -4, 3, 2.1, -1.2, 1.5],
];

const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));

describe('SE(3)', () => {
  test.each(VECTORS)('6-vector (%d %d %d, %d %d %d) survives the round trip', (...vector) => {
    expect(maxDifference(toVector6(fromVector6(vector)), vector)).toBeLessThan(1e-12);
  });

  test.each(VECTORS)('a transform (%d %d %d, %d %d %d) times its inverse is the identity', (...vector) => {
    const transform = fromVector6(vector);
    expect(maxDifference(toVector6(compose(transform, inverse(transform))), new Float64Array(6))).toBeLessThan(1e-12);
    expect(maxDifference(toVector6(compose(inverse(transform), transform)), new Float64Array(6))).toBeLessThan(1e-12);
  });

  test('compose is associative and applies its second argument first', () => {
    const [a, , , b, c] = VECTORS.map((vector) => fromVector6(vector));
    const left = toMatrix4(compose(compose(a, b), c));
    const right = toMatrix4(compose(a, compose(b, c)));
    expect(maxDifference(left, right)).toBeLessThan(1e-12);
    const point = transformPoint(b, 0.4, -1, 7);
    expect(
      maxDifference(transformPoint(compose(a, b), 0.4, -1, 7), transformPoint(a, point[0], point[1], point[2])),
    ).toBeLessThan(1e-12);
    expect(maxDifference(toMatrix4(fromMatrix4(left)), left)).toBe(0);
  });

  test.each(VECTORS)('quaternion of (%d %d %d, %d %d %d) gives the same rotation', (...vector) => {
    const { rotation } = fromVector6(vector);
    const quaternion = quaternionFromRotation(rotation);
    expect(quaternion[3]).toBeGreaterThanOrEqual(0);
    expect(maxDifference(rotationFromQuaternion(quaternion), rotation)).toBeLessThan(1e-12);
  });

  test('the log of a rotation by almost pi is accurate', () => {
    const axis = [1 / 3, -2 / 3, 2 / 3];
    const angle = Math.PI - 1e-7;
    const vector = axis.map((a) => a * angle);
    const log = axisAngleFromRotation(rotationFromAxisAngle(vector[0], vector[1], vector[2]));
    expect(maxDifference(log, vector)).toBeLessThan(1e-9);
  });

  test('the closed form and the series meet without a step', () => {
    const below = rotationFromAxisAngle(0.0999999, 0, 0);
    const above = rotationFromAxisAngle(0.1000001, 0, 0);
    for (const [rotation, angle] of [
      [below, 0.0999999],
      [above, 0.1000001],
    ] as const) {
      expect(Math.abs(rotation[4] - Math.cos(angle))).toBeLessThan(1e-15);
      expect(Math.abs(rotation[7] - Math.sin(angle))).toBeLessThan(1e-15);
    }
  });

  test.each(VECTORS)('the right Jacobian at (%d %d %d, %d %d %d) equals finite differences', (...vector) => {
    const axisAngle = vector.slice(3);
    const jacobian = rightJacobian(axisAngle[0], axisAngle[1], axisAngle[2]);
    const back = inverse(fromVector6([0, 0, 0, ...axisAngle]));
    const step = 1e-6;
    for (let column = 0; column < 3; column++) {
      // Exp(-w) Exp(w + dw) = Exp(Jr(w) dw)
      const [plus, minus] = [step, -step].map((delta) => {
        const moved = axisAngle.map((value, i) => value + (i === column ? delta : 0));
        return toVector6(compose(back, fromVector6([0, 0, 0, ...moved])));
      });
      for (let row = 0; row < 3; row++)
        expect(Math.abs(jacobian[3 * row + column] - (plus[3 + row] - minus[3 + row]) / (2 * step))).toBeLessThan(1e-8);
    }
  });

  test('a 6-vector of the wrong length is refused by name', () => {
    expect(() => fromVector6([1, 2, 3])).toThrow(/fromVector6: expected 6 numbers, got 3/);
  });
});
