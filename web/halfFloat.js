/** Values of all 65,536 half floats (IEEE 754), so that a map is read by looking them up. */
const values = new Float32Array(65536);
for (let bits = 0; bits < 65536; bits++) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) values[bits] = fraction ? NaN : sign * Infinity;
  else if (exponent === 0) values[bits] = sign * fraction * 2 ** -24;
  else values[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** @param {Uint16Array} halves */
export function fromHalves(halves) {
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) floats[i] = values[halves[i]];
  return floats;
}
