/** Z-buffer of the mesh's quads: nearest surface and its texture coordinates per sample. */
import type { Intrinsics } from '../../../geometry/camera';
import type { Se3 } from '../../../geometry/se3';
import { Material, SHADING_STRIDE, type Mesh } from './mesh';
import { grain, leaves } from './noise';

const NEAR = 0.25;

/** Samples lie on a (2h + 1) x (2w + 1) grid: sample (2v + 1, 2u + 1) is pixel (u, v)'s centre, its neighbours lie half a pixel off. */
export class GeometryBuffer {
  readonly rows: number;
  readonly columns: number;
  /** 1/Z; 0 is sky. */
  readonly inverseDepth: Float32Array;
  readonly quads: Int32Array;
  readonly u: Float32Array;
  readonly v: Float32Array;

  constructor(
    readonly height: number,
    readonly width: number,
  ) {
    this.rows = 2 * height + 1;
    this.columns = 2 * width + 1;
    const count = this.rows * this.columns;
    this.inverseDepth = new Float32Array(count);
    this.quads = new Int32Array(count);
    this.u = new Float32Array(count);
    this.v = new Float32Array(count);
  }

  /** Draws `mesh` as it stands `frame` frames after the first. */
  draw(mesh: Mesh, intrinsics: Intrinsics, worldToCamera: Se3, frame: number): void {
    this.inverseDepth.fill(0);
    this.quads.fill(-1);
    const { rotation: r, translation: t } = worldToCamera;
    const p = new Float64Array(12);
    for (let i = 0; i < mesh.count; i++) {
      const velocity = mesh.velocities[mesh.motions[i]];
      const [dx, dy, dz] = [velocity[0] * frame, velocity[1] * frame, velocity[2] * frame];
      let nearest = -Infinity;
      for (let k = 0; k < 12; k += 3) {
        const x = mesh.positions[12 * i + k] + dx;
        const y = mesh.positions[12 * i + k + 1] + dy;
        const z = mesh.positions[12 * i + k + 2] + dz;
        p[k] = r[0] * x + r[1] * y + r[2] * z + t[0];
        p[k + 1] = r[3] * x + r[4] * y + r[5] * z + t[1];
        p[k + 2] = r[6] * x + r[7] * y + r[8] * z + t[2];
        if (p[k + 2] > nearest) nearest = p[k + 2];
      }
      if (nearest <= NEAR) continue;
      const [u0, v0, u1, v1] = [
        mesh.textures[4 * i],
        mesh.textures[4 * i + 1],
        mesh.textures[4 * i + 2],
        mesh.textures[4 * i + 3],
      ];
      this.#triangle(mesh, i, intrinsics, p, 0, 3, 6, u0, v0, u1, v0, u1, v1);
      this.#triangle(mesh, i, intrinsics, p, 0, 6, 9, u0, v0, u1, v1, u0, v1);
    }
  }

  readonly #polygon = new Float64Array(2 * 5);

  #triangle(
    mesh: Mesh,
    quad: number,
    intrinsics: Intrinsics,
    p: Float64Array,
    a: number,
    b: number,
    c: number,
    ua: number,
    va: number,
    ub: number,
    vb: number,
    uc: number,
    vc: number,
  ): void {
    const fx = 2 * intrinsics.fx;
    const fy = 2 * intrinsics.fy;
    const cx = 2 * intrinsics.cx + 1;
    const cy = 2 * intrinsics.cy + 1;
    // Polygon in sample coordinates after clipping at the near plane.
    const polygon = this.#polygon;
    let n = 0;
    for (let e = 0; e < 3; e++) {
      const i = e === 0 ? a : e === 1 ? b : c;
      const j = e === 0 ? b : e === 1 ? c : a;
      const [zi, zj] = [p[i + 2], p[j + 2]];
      if (zi > NEAR) {
        polygon[n++] = (fx * p[i]) / zi + cx;
        polygon[n++] = (fy * p[i + 1]) / zi + cy;
      }
      if (zi > NEAR !== zj > NEAR) {
        const k = (NEAR - zi) / (zj - zi);
        polygon[n++] = (fx * (p[i] + k * (p[j] - p[i]))) / NEAR + cx;
        polygon[n++] = (fy * (p[i + 1] + k * (p[j + 1] - p[i + 1]))) / NEAR + cy;
      }
    }
    if (n < 6) return;
    let top = Infinity;
    let bottom = -Infinity;
    let left = Infinity;
    let right = -Infinity;
    for (let k = 0; k < n; k += 2) {
      if (polygon[k] < left) left = polygon[k];
      if (polygon[k] > right) right = polygon[k];
      if (polygon[k + 1] < top) top = polygon[k + 1];
      if (polygon[k + 1] > bottom) bottom = polygon[k + 1];
    }
    const { rows, columns } = this;
    if (right < 0 || left > columns - 1 || bottom < 0 || top > rows - 1) return;

    // The plane of the triangle: 1/Z = n.(x, y, 1) / n.P, and u/Z, v/Z are linear in the image too.
    const [e1x, e1y, e1z] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
    const [e2x, e2y, e2z] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
    const nx = e1y * e2z - e1z * e2y;
    const ny = e1z * e2x - e1x * e2z;
    const nz = e1x * e2y - e1y * e2x;
    const offset = nx * p[a] + ny * p[a + 1] + nz * p[a + 2];
    const n2 = nx * nx + ny * ny + nz * nz;
    if (Math.abs(offset) < 1e-9 || n2 < 1e-14) return;
    const wx = nx / offset / fx;
    const wy = ny / offset / fy;
    const w0 = nz / offset - wx * cx - wy * cy;
    // In-plane gradients of u and v: ga = (ub - ua) (e2 x n) + (uc - ua) (n x e1), over |n|^2.
    const [f2x, f2y, f2z] = [(e2y * nz - e2z * ny) / n2, (e2z * nx - e2x * nz) / n2, (e2x * ny - e2y * nx) / n2];
    const [f1x, f1y, f1z] = [(ny * e1z - nz * e1y) / n2, (nz * e1x - nx * e1z) / n2, (nx * e1y - ny * e1x) / n2];
    const ux = (ub - ua) * f2x + (uc - ua) * f1x;
    const uy = (ub - ua) * f2y + (uc - ua) * f1y;
    const uz = (ub - ua) * f2z + (uc - ua) * f1z;
    const vx = (vb - va) * f2x + (vc - va) * f1x;
    const vy = (vb - va) * f2y + (vc - va) * f1y;
    const vz = (vb - va) * f2z + (vc - va) * f1z;
    const uBase = ua - ux * p[a] - uy * p[a + 1] - uz * p[a + 2];
    const vBase = va - vx * p[a] - vy * p[a + 1] - vz * p[a + 2];

    const material = mesh.materials[quad];
    const tested = ALPHA_TESTED[material] === 1;
    const s = SHADING_STRIDE * quad;
    const { inverseDepth, quads } = this;
    const lastRow = Math.min(rows - 1, Math.floor(bottom));
    for (let row = Math.max(0, Math.ceil(top)); row <= lastRow; row++) {
      let from = Infinity;
      let to = -Infinity;
      for (let k = 0, j = n - 2; k < n; j = k, k += 2) {
        const [y0, y1] = [polygon[j + 1], polygon[k + 1]];
        if (y0 < row === y1 < row && y0 !== row && y1 !== row) continue;
        if (y0 === y1) {
          if (y0 !== row) continue;
          from = Math.min(from, polygon[j], polygon[k]);
          to = Math.max(to, polygon[j], polygon[k]);
          continue;
        }
        const share = (row - y0) / (y1 - y0);
        if (share < 0 || share > 1) continue;
        const x = polygon[j] + share * (polygon[k] - polygon[j]);
        if (x < from) from = x;
        if (x > to) to = x;
      }
      const first = Math.max(0, Math.ceil(from));
      const last = Math.min(columns - 1, Math.floor(to));
      const base = row * columns;
      const rowW = w0 + wy * row;
      const ray = (row - cy) / fy;
      for (let column = first; column <= last; column++) {
        const w = rowW + wx * column;
        const at = base + column;
        if (w <= inverseDepth[at]) continue;
        const depth = 1 / w;
        const rayX = (column - cx) / fx;
        const u = uBase + depth * (ux * rayX + uy * ray + uz);
        const v = vBase + depth * (vx * rayX + vy * ray + vz);
        if (tested && !isSolid(material, u, v, mesh.shading, s)) continue;
        inverseDepth[at] = w;
        quads[at] = quad;
        this.u[at] = u;
        this.v[at] = v;
      }
    }
  }
}

const ALPHA_TESTED = new Uint8Array(32);
for (const m of [Material.Foliage, Material.Curtain, Material.Disc, Material.Fence, Material.Shadow])
  ALPHA_TESTED[m] = 1;

function isSolid(material: Material, u: number, v: number, shading: Float32Array, s: number): boolean {
  const [x, y] = [shading[s + 6], shading[s + 7]];
  switch (material) {
    case Material.Foliage: {
      const r2 = u * u + v * v;
      if (r2 > 1) return false;
      const scale = shading[s + 3];
      return leaves.texel(u * scale + x, v * scale + y) > 0.5 - shading[s + 4] + 0.75 * r2 * r2;
    }
    case Material.Curtain: {
      const scale = shading[s + 4];
      const reach = leaves.texel(u * scale * 0.25 + y, x) - 0.5;
      const share = v / shading[s + 3];
      return leaves.texel(u * scale + x, v * scale + y) > 0.5 + 2.2 * (share - 0.82 - 0.5 * reach);
    }
    case Material.Disc:
      return u * u + v * v <= 1;
    case Material.Fence: {
      const post = u / shading[s + 3];
      return post - Math.floor(post) < shading[s + 4];
    }
    case Material.Shadow:
      return grain.texel(u * 90 + x, v * 90 + y) > 0.15 + 0.6 * Math.max(u * u, v * v) ** 2;
    default:
      return true;
  }
}
