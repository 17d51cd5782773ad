import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fullTypeName, isInstalled, messageDefinition } from '../../src/nodes/ros/messageDefinitions';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-definitions-'));
const before = process.env.AMENT_PREFIX_PATH;
const LINE = '='.repeat(80);

beforeAll(() => {
  const files = {
    'over/share/shapes/msg/Scene.msg': `# a comment with geo/Point in it
uint8 KIND=1  # a constant
string NAME="geo/Point"
geo/Header header
Part[<=4] parts
geo/Point[3] corners   # three
string<=10[] names
float64[9] k 1
wstring label
`,
    'over/share/shapes/msg/Part.msg': 'geo/msg/Point centre\nPart2 rest',
    'over/share/shapes/msg/Part2.msg': 'bool last',
    'under/share/geo/msg/Point.msg': 'float64 x\n\n',
    'under/share/geo/msg/Header.msg': 'Point origin\n',
    'under/share/geo/srv/Ask_Event.idl': '',
    'under/share/broken/msg/Holder.msg': 'nowhere/Thing thing\n',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  mkdirSync(join(folder, 'over/share/broken/msg/Unreadable.msg'), { recursive: true }); // as a file of another user, which root would read
  process.env.AMENT_PREFIX_PATH = [join(folder, 'over'), join(folder, 'under')].join(':');
});

afterAll(() => {
  process.env.AMENT_PREFIX_PATH = before;
  rmSync(folder, { recursive: true });
});

test('the text of a message, then once each of those in it, over the packages', () => {
  const parts = messageDefinition('shapes/Scene')!.split(`${LINE}\n`);
  expect(parts.map((part) => part.split('\n')[0])).toEqual([
    '# a comment with geo/Point in it',
    'MSG: geo/Header',
    'MSG: shapes/Part',
    'MSG: geo/Point',
    'MSG: shapes/Part2',
  ]);
  expect(parts[3]).toBe('MSG: geo/Point\nfloat64 x\n');
});

test('what is not installed, or cannot be read, has none', () => {
  expect(messageDefinition('broken/msg/Holder')).toBeUndefined();
  expect(messageDefinition('nowhere/Thing')).toBeUndefined();
  expect(messageDefinition('broken/Unreadable')).toBeUndefined();
  expect(isInstalled('nowhere/Thing')).toBe(false);
  expect(isInstalled('shapes/Scene')).toBe(true);
  expect(isInstalled('geo/srv/Ask_Event')).toBe(true);
});

test('names in full', () => {
  expect(fullTypeName('sensor_msgs/Image')).toBe('sensor_msgs/msg/Image');
  expect(fullTypeName('sensor_msgs/msg/Image')).toBe('sensor_msgs/msg/Image');
  expect(fullTypeName('geo/srv/Ask_Event')).toBe('geo/srv/Ask_Event');
});
