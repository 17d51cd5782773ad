import { VehicleSpeed } from '../../src/nodes/vehicleSpeed';

test('a camera off the axis moves by v + w x l; where no turn is known, as the vehicle', () => {
  const speed = new VehicleSpeed();
  speed.add(1, [0.3, 0, 0], [0, 0, 1]);
  expect(speed.at(1)).toBeCloseTo(0.3);
  expect(speed.at(1.1, [0.3, 0, 0.5])).toBeCloseTo(Math.hypot(0.3, 0.3)); // ahead of the axis, which turns left
  expect(speed.at(1, [0, 0.3, 0])).toBeCloseTo(0); // left of it, where it turns about
  speed.add(2, [0.3, 0, 0], [NaN, NaN, NaN]);
  speed.add(3, [0.3, 0, 0], [0, 0, 1e200]);
  for (const stamp of [2, 3]) expect(speed.at(stamp, [0.3, 0, 0.5])).toBeCloseTo(0.3);
  expect(() => speed.add(4, [0, NaN, 0])).toThrow('twist.linear.y is NaN');
  expect(() => speed.add(4, [1e4, 0, 0])).toThrow('more than 1000');
});

test('what was measured nearest in time, within a fifth of a second', () => {
  const speed = new VehicleSpeed();
  for (let i = 0; i <= 300; i++) speed.add(i / 10, [i, 0, 0]);
  expect([29.94, 29.96, 30.19, 30.21].map((stamp) => speed.at(stamp))).toEqual([299, 300, 300, undefined]);
  expect(speed.at(0)).toBeUndefined(); // long ago
});
