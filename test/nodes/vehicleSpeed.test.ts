import { VehicleSpeed } from '../../src/nodes/vehicleSpeed';

test('a camera off the axis moves by v + w x l; where no turn is known, as the vehicle', () => {
  const speed = new VehicleSpeed();
  speed.add(1, [0.3, 0, 0], [0, 0, 1]);
  expect(speed.at(1)).toEqual({ speed: expect.closeTo(0.3) as number, turn: 1 });
  expect(speed.at(1.1, [0.3, 0, 0.5])?.speed).toBeCloseTo(Math.hypot(0.3, 0.3)); // ahead of the axis, which turns left
  expect(speed.at(1, [0, 0.3, 0])?.speed).toBeCloseTo(0); // left of it, where it turns about
  speed.add(2, [0.3, 0, 0], [NaN, NaN, NaN]);
  speed.add(3, [0.3, 0, 0], [0, 0, 1e200]);
  for (const stamp of [2, 3])
    expect(speed.at(stamp, [0.3, 0, 0.5])).toEqual({ speed: expect.closeTo(0.3) as number, turn: undefined });
  expect(() => speed.add(4, [0, NaN, 0])).toThrow('twist.linear.y is NaN');
  expect(() => speed.add(4, [1e4, 0, 0])).toThrow('more than 1000');
});

test('only in the axes of the vehicle is a velocity that of the axis: in others, whichever, its length stands alone', () => {
  const speed = new VehicleSpeed('base_link');
  const lever = [1, 0, 0];
  // Northwards at 1 m/s, turning left: ahead of the axis 1.12 m/s, and 1.5 were its axes those of the vehicle.
  const at = (frameId: string, linear: number[]): number | undefined => {
    speed.add(speed.received, linear, [0, 0, 0.5], frameId);
    return speed.at(speed.received - 1, lever)?.speed;
  };
  for (const own of ['', 'base_link', '/base_link']) expect(at(own, [1, 0, 0])).toBeCloseTo(Math.hypot(1, 0.5));
  for (const other of ['map', 'camera', 'base_link2', '/']) expect(at(other, [0, 1, 0])).toBeCloseTo(1);
  const slashed = new VehicleSpeed('/base_link');
  expect([slashed.isOwn('base_link'), new VehicleSpeed().isOwn('base_link')]).toEqual([true, false]);
});

test('of a camera whose place is not known the speed is that of the vehicle as long as no turn is told, in whichever axes', () => {
  const speed = new VehicleSpeed();
  const anywhere = (turn: number, frameId = ''): number | undefined => {
    speed.add(speed.received, [0, 3, 4], [0, turn / Math.SQRT2, -turn / Math.SQRT2], frameId);
    return speed.anywhere(speed.received - 1);
  };
  expect([0, 0.19, 0.21, 3, NaN].map((turn) => anywhere(turn))).toEqual([5, 5, undefined, undefined, 5]);
  expect(anywhere(0.21, 'map')).toBeUndefined();
  expect(speed.anywhere(100)).toBeUndefined();
});

test('what was measured nearest in time, within a fifth of a second', () => {
  const speed = new VehicleSpeed();
  for (let i = 0; i <= 300; i++) speed.add(i / 10, [i, 0, 0]);
  expect([29.94, 29.96, 30.19, 30.21].map((stamp) => speed.at(stamp)?.speed)).toEqual([299, 300, 300, undefined]);
  expect(speed.at(0)).toBeUndefined(); // long ago
});
