import { FrameCounter, toHalf } from '../../../src/nodes/dashboard/viewFrame';

/** By the definition of IEEE 754 binary16. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

test('every half float comes back as itself', () => {
  for (let bits = 0; bits < 65536; bits++) {
    const value = halfValue(bits);
    if (Number.isNaN(value)) expect(halfValue(toHalf(value))).toBeNaN();
    else expect(toHalf(value)).toBe(bits);
  }
});

test.each([
  ['between two, the nearer one', 1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
  ['half way, the even one', 1 + 2 ** -11, 1],
  ['half way, the even one above', 1 + 3 * 2 ** -11, 1 + 2 ** -9],
  ['the largest', 65519, 65504],
  ['above the largest', 65520, Infinity],
  ['far above', -1e30, -Infinity],
  ['below the normal ones', 3.3 * 2 ** -24, 3 * 2 ** -24],
  ['rounded up to a normal one', 2 ** -14 - 2 ** -26, 2 ** -14],
  ['nothing left', 1e-9, 0],
])('%s', (_, value, expected) => {
  expect(halfValue(toHalf(value))).toBe(expected);
});

test('a frame is a header, and a payload that typed arrays can view', () => {
  const counter = new FrameCounter();
  for (const name of ['', 'a', 'ab', 'längere Namen']) {
    const { bytes } = counter.frame('depth', { name }, Uint8Array.of(1, 2, 3));
    const end = 4 + bytes.readUInt32LE(0);
    expect(end % 8).toBe(0);
    expect(JSON.parse(bytes.toString('utf8', 4, end))).toMatchObject({ view: 'depth', name });
    expect([...bytes.subarray(end)]).toEqual([1, 2, 3]);
  }
  expect(counter.frame('camera', {}, new Uint8Array()).sequence).toBe(5);
});
