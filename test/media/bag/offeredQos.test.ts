import { readOfferedQos, writeOfferedQos } from '../../../src/media/bag/offeredQos';

test('rosbag2 before Iron: numbers; since Iron: names', () => {
  const humble = `- history: 1
  depth: 7
  reliability: 2
  durability: 2
  deadline:
    sec: 9223372036
    nsec: 854775807
- history: 3
  depth: 0
  reliability: 1
  durability: 1
`;
  const expected = [
    { reliable: false, transientLocal: false, depth: 7 },
    { reliable: true, transientLocal: true, depth: 0 },
  ];
  expect(readOfferedQos(humble)).toEqual(expected);
  const iron = `- history: keep_last
  depth: 7
  reliability: best_effort
  durability: volatile
- history: unknown
  depth: 0
  reliability: reliable
  durability: transient_local
`;
  expect(readOfferedQos(iron)).toEqual(expected);
});

test('what is written is read back', () => {
  const profiles = [
    { reliable: true, transientLocal: true, depth: 1 },
    { reliable: false, transientLocal: false, depth: 10 },
    { reliable: true, transientLocal: true, depth: 0 },
  ];
  expect(readOfferedQos(writeOfferedQos(profiles))).toEqual(profiles);
});

test.each([undefined, '', '[]', 'history: 1', '- reliability: reliable', '{ no yaml'])(
  'nothing recorded, or nothing known: %s',
  (text) => {
    expect(readOfferedQos(text)).toBeUndefined();
  },
);
