/** Colour of every sample of a geometry buffer. */
import type { Intrinsics } from '../../../geometry/camera';
import type { Se3 } from '../../../geometry/se3';
import { Material, SHADING_STRIDE } from './mesh';
import { fractal, grain, leaves } from './noise';
import type { GeometryBuffer } from './raster';
import type { Look, Scene } from './scene';

/** @param out rgb float32 [rows, columns, 3], display values, 1 is white before exposure */
export function shade(
  buffer: GeometryBuffer,
  scene: Scene,
  intrinsics: Intrinsics,
  cameraToWorld: Se3,
  out: Float32Array,
): void {
  const { rows, columns, inverseDepth, quads } = buffer;
  const { mesh, look } = scene;
  const sampleSize = 0.5 / Math.max(intrinsics.fx, 1e-6);
  const rowSize = 0.5 / intrinsics.fy;
  const [hr, hg, hb] = look.haze;
  const clear = 1 / look.visibility;
  const r = cameraToWorld.rotation;
  const colour = new Float64Array(3);
  for (let row = 0, i = 0; row < rows; row++) {
    const y = ((row - 1) / 2 - intrinsics.cy) / intrinsics.fy;
    for (let column = 0; column < columns; column++, i++) {
      const quad = quads[i];
      if (quad < 0) {
        const x = ((column - 1) / 2 - intrinsics.cx) / intrinsics.fx;
        shadeSky(look, r[0] * x + r[1] * y + r[2], r[3] * x + r[4] * y + r[5], r[6] * x + r[7] * y + r[8], colour);
      } else {
        const z = 1 / inverseDepth[i];
        const s = SHADING_STRIDE * quad;
        const footprint = z * sampleSize;
        const material = mesh.materials[quad];
        if (material === Material.Ground) {
          const stretch = Math.max(footprint, z * z * rowSize * 0.3);
          shadeGround(
            scene,
            buffer.u[i],
            buffer.v[i],
            mesh.shading[s + 3],
            mesh.shading[s + 8],
            footprint,
            stretch,
            colour,
          );
        } else shadeThing(scene, material, s, buffer.u[i], buffer.v[i], z, Math.max(footprint, z * rowSize), colour);
        const seen = Math.exp(-z * clear);
        colour[0] = hr + seen * (colour[0] - hr);
        colour[1] = hg + seen * (colour[1] - hg);
        colour[2] = hb + seen * (colour[2] - hb);
      }
      out[3 * i] = colour[0];
      out[3 * i + 1] = colour[1];
      out[3 * i + 2] = colour[2];
    }
  }
}

function shadeSky(look: Look, dx: number, dy: number, dz: number, colour: Float64Array): void {
  const norm = 1 / Math.sqrt(dx * dx + dy * dy + dz * dz);
  const up = -dy * norm;
  const bearing = dx * norm;
  const forward = dz * norm;
  if (look.ridge > 0) {
    const ridge =
      look.ridge * (0.3 + 1.4 * fractal.at(bearing * 90 + look.seed, look.seed, 1)) +
      0.006 * leaves.at(bearing * 700, look.seed, 1);
    if (up < ridge) {
      const tone = 0.7 + 0.6 * leaves.at(bearing * 500, up * 900, 1);
      for (let c = 0; c < 3; c++) colour[c] = 0.55 * look.ridgeColour[c] * tone + 0.45 * look.haze[c];
      return;
    }
  }
  const height = Math.sqrt(Math.max(0, up));
  let cloud = 0;
  if (look.clouds > 0 && up > 0) {
    const scale = 40 / (up + 0.12);
    const n = fractal.at(bearing * scale + look.seed, forward * scale, 1);
    cloud = Math.min(1, Math.max(0, (n - 0.62 + 0.35 * look.clouds) * 3.5)) * 0.85;
  }
  const sunward = Math.max(0, bearing * look.sun[0] + dy * norm * look.sun[1] + forward * look.sun[2]);
  const s4 = sunward ** 8;
  const glare = look.glare * (0.35 * s4 + 1.5 * s4 ** 16);
  for (let c = 0; c < 3; c++) {
    let value = look.horizon[c] + height * (look.zenith[c] - look.horizon[c]);
    value += cloud * (0.92 - value);
    colour[c] = value + glare * (c === 2 ? 0.8 : 1);
  }
}

/** Light that reaches the ground through leaves: 1 - shadow. */
function dappled(look: Look, u: number, v: number, footprint: number): number {
  if (look.dapple === 0) return 1;
  const k = look.dappleScale;
  const n =
    0.65 * leaves.at(u * k + look.seed, v * k * 0.7, footprint * k) +
    0.35 * fractal.at(u * 1.7 + look.seed, v * 1.7, footprint * 2);
  const lit = Math.min(1, Math.max(0, (n - 0.3 - 0.4 * look.dappleCover) * 7));
  return 1 - look.dapple * (1 - lit);
}

function shadeGround(
  scene: Scene,
  u: number,
  v: number,
  steep: number,
  light: number,
  footprint: number,
  stretch: number,
  colour: Float64Array,
): void {
  const { look, road } = scene;
  const texture = Math.sqrt(footprint * stretch);
  const wobble = 0.5 * (fractal.at(v * 6, look.seed, texture * 6) - 0.5);
  const large = fractal.at(u * 3 + look.seed, v * 2.2, texture * 3);
  const fine = grain.at(u * 45, v * 45, texture * 45);
  const out = u > 0 ? u - road.right : road.left - u;
  if (out < wobble) {
    const streak = fractal.at(u * 28, v * 0.9 + look.seed, stretch);
    let tone = 1 + look.asphaltContrast * (0.55 * (large - 0.5) + 0.5 * (fine - 0.5) + 0.35 * (streak - 0.5));
    // Patches and tarred cracks.
    const patch = fractal.at(u * 1.3 + 77, v * 0.35 + look.seed, stretch);
    if (patch > 0.66) tone *= 0.78;
    const crack = Math.abs(fractal.at(u * 9 + look.seed, v * 7, texture * 9) - 0.5);
    if (crack < 0.012 && texture < 0.05) tone *= 0.7;
    if (look.joints > 0 && Math.abs(v / look.joints - Math.round(v / look.joints)) * look.joints < 0.02 + stretch * 0.2)
      tone *= 0.85;
    for (let c = 0; c < 3; c++) colour[c] = look.asphalt[c] * tone;
    for (const line of road.markings) {
      const across = Math.abs(u - line.offset);
      if (across > line.width / 2 + footprint) continue;
      let cover =
        Math.min(1, Math.max(0, (line.width / 2 - across) / footprint + 0.5)) * Math.min(1, line.width / footprint);
      if (line.gap > 0) {
        const period = line.dash + line.gap;
        const at = v - period * Math.floor(v / period);
        const share = Math.min(at, line.dash - at) / stretch + 0.5;
        cover *= Math.min(1, Math.max(stretch > period ? line.dash / period : 0, share));
      }
      cover *= Math.min(1, Math.max(0.25, 1.6 * (0.45 + fine * 0.5 + large * 0.5 - 0.35)));
      for (let c = 0; c < 3; c++) colour[c] += cover * (line.colour[c] - colour[c]);
    }
  } else {
    const shaggy = leaves.at(u * 14 + look.seed, v * 14, texture * 14);
    const verge = Math.min(1, Math.max(0, (out - 0.4 - 3.5 * (large - 0.35)) * 0.8));
    const broad = fractal.at(u * 0.9 + 31, v * 0.9, stretch);
    const green = Math.min(1, Math.max(0, verge * (0.35 + 1.3 * broad)));
    const tone = 0.5 + 0.6 * shaggy + 0.4 * (fine - 0.5) + 0.5 * (large - 0.5);
    const stone = steep * Math.min(1, Math.max(0, 2.5 * (fractal.at(u * 5 + 9, v * 5, texture * 5) - 0.3)));
    for (let c = 0; c < 3; c++) {
      const soil = look.dirt[c] + green * (look.grass[c] - look.dirt[c]);
      colour[c] = (soil + stone * (look.rock[c] - soil)) * tone;
    }
  }
  const lit = light * dappled(look, u, v, texture);
  colour[0] *= lit;
  colour[1] *= lit;
  colour[2] *= lit;
}

function shadeThing(
  scene: Scene,
  material: Material,
  s: number,
  u: number,
  v: number,
  z: number,
  footprint: number,
  colour: Float64Array,
): void {
  const { shading } = scene.mesh;
  const { look } = scene;
  const [ox, oy] = [shading[s + 6], shading[s + 7]];
  let tone = 1;
  switch (material) {
    case Material.Pavement: {
      const tile = shading[s + 3];
      tone =
        0.75 +
        0.35 * fractal.at(u * 6 + ox, v * 6, footprint * 6) +
        0.25 * (grain.at(u * 50, v * 50, footprint * 50) - 0.5);
      if (z < 25) {
        const [a, b] = [u / tile - Math.floor(u / tile), v / tile - Math.floor(v / tile)];
        if (a < 0.03 || b < 0.03) tone *= 0.75;
      }
      tone *= dappled(look, u, v, footprint * 2);
      break;
    }
    case Material.Concrete:
      tone =
        0.65 +
        0.5 * fractal.at(u * 12 + ox, v * 12 + oy, footprint * 12) +
        0.3 * (grain.at(u * 50 + ox, v * 50, footprint * 50) - 0.3);
      tone *= 0.8 + 0.4 * fractal.at(u * 40 + oy, v * 2, footprint * 20);
      break;
    case Material.Facade: {
      shadeFacade(shading, s, u, v, footprint, look, colour);
      return;
    }
    case Material.Paint: {
      const sheen = 0.12 * (v - 0.35) + 0.06 * (fractal.at(u * 30 + ox, v * 30 + oy, 1) - 0.5);
      tone = 0.8 + 0.35 * v;
      for (let c = 0; c < 3; c++) colour[c] = shading[s + c] * tone + sheen * look.horizon[c];
      return;
    }
    case Material.Glass: {
      const mirror = 0.1 + 0.4 * v * v * fractal.at(u * 20 + ox, v * 20 + oy, 1);
      for (let c = 0; c < 3; c++) colour[c] = shading[s + c] * 0.6 + mirror * look.horizon[c] * shading[s + 8];
      return;
    }
    case Material.Foliage: {
      const scale = shading[s + 3];
      const n = leaves.at(u * scale + ox, v * scale + oy, (footprint * scale) / Math.max(0.3, scale / 12));
      const fine = grain.at(u * scale * 2 + oy, v * scale * 2 + ox, footprint * scale * 0.2);
      tone = (0.15 + 1.25 * n * n + 0.7 * (fine - 0.4)) * (0.85 + 0.25 * v);
      break;
    }
    case Material.Curtain: {
      const scale = shading[s + 4];
      const n = leaves.at(u * scale + ox, v * scale + oy, footprint * scale);
      const big = fractal.at(u * 4 + ox, v * 4, footprint * 4);
      tone = (0.1 + 1.3 * n * n) * (0.5 + big) * (0.45 + (0.7 * v) / shading[s + 3]);
      break;
    }
    case Material.Bark:
      tone =
        0.45 +
        0.8 * grain.at(u * 60 + ox, v * 7 + oy, footprint * 25) +
        0.4 * (fractal.at(u * 9, v * 5 + oy, footprint * 9) - 0.5);
      tone *= scene.look.dapple > 0 ? dappled(look, u * 3 + ox, v, footprint) : 1;
      break;
    case Material.Sign: {
      const edge = Math.min(u, 1 - u, v, 1 - v) < 0.06;
      const glyph =
        grain.at(Math.floor(u * 12) * 16 + ox, Math.floor(v * 5) * 16 + oy, 1) > 0.55 && Math.floor(v * 10) % 2 === 0;
      if (edge || glyph) {
        const ink = (shading[s] + shading[s + 1] + shading[s + 2]) / shading[s + 8] > 1.6 ? 0.08 : 0.9;
        for (let c = 0; c < 3; c++) colour[c] = ink * shading[s + 8];
        return;
      }
      break;
    }
    case Material.Plain:
    case Material.Fence:
      tone = 0.8 + 0.4 * fractal.at(u * 20 + ox, v * 20 + oy, 1);
      break;
    default:
      break;
  }
  colour[0] = shading[s] * tone;
  colour[1] = shading[s + 1] * tone;
  colour[2] = shading[s + 2] * tone;
}

function shadeFacade(
  shading: Float32Array,
  s: number,
  u: number,
  v: number,
  footprint: number,
  look: Look,
  colour: Float64Array,
): void {
  const [ox, oy] = [shading[s + 6], shading[s + 7]];
  const floor = Math.floor(v / shading[s + 3]);
  const pitch = shading[s + 4] * (floor === 0 ? 1.7 : 1);
  const cell = Math.floor(u / pitch);
  const [a, b] = [u / pitch - cell, v / shading[s + 3] - floor];
  const wide = shading[s + 5] / 2;
  const random = grain.texel(cell * 17 + ox, floor * 29 + oy);
  const stain =
    0.7 +
    0.35 * fractal.at(u * 5 + ox, v * 5 + oy, footprint * 5) +
    0.3 * (grain.at(u * 45, v * 45 + oy, footprint * 45) - 0.3);
  const window = Math.abs(a - 0.5) < wide && b > (floor === 0 ? 0.08 : 0.28) && b < 0.86;
  const frame = Math.abs(a - 0.5) < wide + 0.05 && b > 0.22 && b < 0.9;
  for (let c = 0; c < 3; c++) {
    if (window) {
      const cross = Math.abs(a - 0.5) < 0.015 ? 0.3 : 0;
      const pane = random > 0.6 ? 0.5 * look.horizon[c] * b : random < 0.3 ? 0.35 : 0.06 + 0.12 * look.horizon[c] * b;
      colour[c] = (pane + cross) * Math.min(1, shading[s + 8]);
    } else colour[c] = shading[s + c] * stain * (frame ? 1.15 : 1) * (b < 0.04 ? 0.8 : 1);
  }
}
