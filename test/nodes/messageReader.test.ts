import { CdrWriter } from '../../src/nodes/ros/cdr';
import { messageReader } from '../../src/nodes/ros/messageDefinitions';
import { writeDiagnosticArray } from '../../src/nodes/ros/messages';

test('a type that is not installed is named', () => {
  expect(() => messageReader('own_msgs/msg/None')).toThrow(
    'own_msgs/msg/None: no share/own_msgs/msg/None.msg in AMENT_PREFIX_PATH',
  );
});

test('messages are read by the installed definitions', () => {
  const status = { level: 1, name: 'a: B', message: 'c', hardwareId: 'd', values: { e: 'f' } } as const;
  const message = writeDiagnosticArray(new CdrWriter().start(), { stamp: { sec: 1, nanosec: 2 }, frameId: '' }, [
    status,
  ]).take();
  const read = messageReader<object>('diagnostic_msgs/msg/DiagnosticArray');
  expect(read(message)).toMatchObject({
    header: { stamp: { sec: 1, nanosec: 2 } },
    status: [{ level: 1, name: 'a: B', message: 'c', hardware_id: 'd', values: [{ key: 'e', value: 'f' }] }],
  });
  const whole = Buffer.from(message);
  for (let length = 0; length < whole.length; length++)
    expect(() => read(whole.subarray(0, length))).toThrow(
      `diagnostic_msgs/msg/DiagnosticArray of ${length} bytes ends inside a field`,
    );
});
