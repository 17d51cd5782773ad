/** The road: a centre line with curvature and grade, a cross-section of banks and slopes, and the ground mesh over it. */
import type { Random } from '../../random';
import { Material, SceneClass, type Mesh } from './mesh';
import { fractal } from './noise';

export type SceneKind = 'highway' | 'mountain' | 'rural' | 'city';

/** A painted line along the road. */
export interface LaneMarking {
  /** Metres right of the centre line. */
  offset: number;
  width: number;
  /** Metres painted and metres left out; gap 0 is a solid line. */
  dash: number;
  gap: number;
  colour: [number, number, number];
}

/** One side's cross-section: (metres out from the road's edge, metres up). */
type Profile = [distance: number, height: number][];

const FIRST = -24;
const LAST = 330;

export class Road {
  readonly left: number;
  readonly right: number;
  /** Lane centres of our direction and of the oncoming one, metres right of the centre line. */
  readonly ownLanes: number[] = [];
  readonly oncomingLanes: number[] = [];
  readonly markings: LaneMarking[] = [];
  readonly laneWidth: number;
  readonly profiles: [left: Profile, right: Profile];
  /** How much each side is a cut slope (bare rock and earth) rather than grass. */
  readonly steepness: [number, number] = [0, 0];
  readonly #x = new Float64Array(LAST - FIRST + 1);
  readonly #z = new Float64Array(LAST - FIRST + 1);
  readonly #heading = new Float64Array(LAST - FIRST + 1);
  readonly #up = new Float64Array(LAST - FIRST + 1);
  readonly #roughness: number;
  readonly #seed: number;

  constructor(
    readonly kind: SceneKind,
    random: Random,
  ) {
    this.#seed = random.between(0, 1000);
    this.laneWidth = { highway: 3.6, mountain: 3.1, rural: 3.3, city: 3.1 }[kind] * random.between(0.92, 1.08);
    const maxCurvature = { highway: 0.004, mountain: 0.03, rural: 0.012, city: 0.004 }[kind];
    const maxGrade = { highway: 0.03, mountain: 0.09, rural: 0.05, city: 0.03 }[kind];
    const waves = [0, 1].map(() => ({
      curvature: maxCurvature * random.uniform() * (random.chance(0.5) ? 1 : 0.4),
      grade: maxGrade * random.uniform(),
      length: kind === 'mountain' ? random.between(60, 160) : random.between(120, 500),
      phase: random.between(0, 2 * Math.PI),
      gradePhase: random.between(0, 2 * Math.PI),
      gradeLength: random.between(90, 300),
    }));
    const bend = random.chance(0.5) ? random.between(-0.6, 0.6) * maxCurvature : 0;
    let [x, z, heading, up] = [0, 0, 0, 0];
    const steps: [number, number, number, number][] = [];
    for (let t = FIRST; t <= LAST; t++) {
      steps.push([x, z, heading, up]);
      let curvature = bend;
      let grade = 0;
      for (const wave of waves) {
        curvature += wave.curvature * Math.sin((2 * Math.PI * t) / wave.length + wave.phase);
        grade += wave.grade * Math.sin((2 * Math.PI * t) / wave.gradeLength + wave.gradePhase);
      }
      heading += curvature;
      x += Math.sin(heading - curvature / 2);
      z += Math.cos(heading - curvature / 2);
      up += grade;
    }
    // Shift and turn so that the road passes the origin along +z.
    const [x0, z0, h0, up0] = steps[-FIRST];
    const [c, s] = [Math.cos(h0), Math.sin(h0)];
    steps.forEach(([px, pz, h, u], i) => {
      this.#x[i] = c * (px - x0) - s * (pz - z0);
      this.#z[i] = s * (px - x0) + c * (pz - z0);
      this.#heading[i] = h - h0;
      this.#up[i] = u - up0;
    });

    this.#roughness = { highway: 0.25, mountain: 0.8, rural: 0.5, city: 0.05 }[kind] * random.between(0.3, 1.3);
    [this.left, this.right] = this.#layLanes(random);
    this.profiles = [this.#randomProfile(random, 0), this.#randomProfile(random, 1)];
  }

  #layLanes(random: Random): [number, number] {
    const { kind, laneWidth } = this;
    const white: [number, number, number] = [0.85, 0.85, 0.82];
    const yellow: [number, number, number] = random.chance(0.7) ? [0.85, 0.62, 0.12] : white;
    const own = kind === 'highway' ? 2 + random.integer(3) : kind === 'city' ? 1 + random.integer(2) : 1;
    const oncoming = kind === 'highway' ? 0 : kind === 'city' ? random.integer(3) : 1;
    for (let i = 0; i < own; i++) this.ownLanes.push((i + 0.5) * laneWidth);
    for (let i = 0; i < oncoming; i++) this.oncomingLanes.push(-(i + 0.5) * laneWidth);
    const parking = kind === 'city' && random.chance(0.7) ? 2.3 : 0;
    const shoulder =
      kind === 'highway' ? random.between(1, 3.5) : kind === 'city' ? 0.3 + parking : random.between(0.2, 0.9);
    const right = own * laneWidth + shoulder;
    const left = -(oncoming * laneWidth + (kind === 'highway' ? random.between(0.6, 2.5) : shoulder));
    const width = random.between(0.1, 0.16);
    const bare = kind === 'rural' || kind === 'city' ? random.chance(0.3) : random.chance(0.06);
    if (!bare) {
      const edges = kind === 'city' ? random.chance(0.3) : random.chance(0.85);
      if (edges) this.markings.push({ offset: own * laneWidth, width, dash: 1, gap: 0, colour: white });
      if (edges && oncoming > 0)
        this.markings.push({ offset: -oncoming * laneWidth, width, dash: 1, gap: 0, colour: white });
      const dash = random.between(2, 5);
      const gap = random.between(3, 9);
      for (let i = 1; i < own; i++) this.markings.push({ offset: i * laneWidth, width, dash, gap, colour: white });
      for (let i = 1; i < oncoming; i++)
        this.markings.push({ offset: -i * laneWidth, width, dash, gap, colour: white });
      if (oncoming === 0) this.markings.push({ offset: 0, width, dash: 1, gap: 0, colour: yellow });
      else if (random.chance(0.6)) {
        for (const side of [-1, 1])
          this.markings.push({ offset: side * width * 1.1, width, dash: 1, gap: 0, colour: yellow });
      } else this.markings.push({ offset: 0, width, dash, gap, colour: yellow });
    }
    return [left, right];
  }

  #randomProfile(random: Random, side: number): Profile {
    const { kind } = this;
    if (kind === 'city')
      return [
        [0.01, 0],
        [0.02, random.between(0.08, 0.18)],
        [4, 0.15],
        [12, 0.15],
        [60, 0.3],
      ];
    const verge = random.between(0.5, kind === 'highway' ? 5 : 2);
    const choice = random.uniform();
    const cut = kind === 'mountain' ? 0.45 : 0.25;
    const drop = kind === 'mountain' ? 0.75 : 0.45;
    if (choice < cut) {
      const height = kind === 'mountain' ? random.between(2, 14) : random.between(1, 9);
      const slope = kind === 'mountain' ? random.between(0.5, 2.2) : random.between(0.25, 0.7);
      this.steepness[side] = Math.min(1, slope / 1.6) * random.between(0.3, 1);
      const run = height / slope;
      return [
        [verge, 0],
        [verge + 0.6, -random.between(0, 0.35)],
        [verge + 1.2, 0.1],
        [verge + 1.2 + run * 0.4, height * 0.45],
        [verge + 1.2 + run, height],
        [verge + 15 + run, height * random.between(1.1, 1.5)],
        [verge + 80 + run, height * random.between(1, 2.5)],
      ];
    }
    if (choice < drop) {
      const fall = random.between(1, kind === 'mountain' ? 12 : 4);
      return [
        [verge, 0],
        [verge + 1, -0.2],
        [verge + 1 + fall * 1.8, -fall],
        [verge + 40, -fall * 1.1],
        [verge + 120, -fall],
      ];
    }
    const rise = random.between(-0.6, 1.4);
    return [
      [verge, 0],
      [verge + 2, random.between(-0.3, 0.4)],
      [verge + 6, rise],
      [verge + 25, rise + random.between(-1, 3)],
      [verge + 120, rise + random.between(-2, 12)],
    ];
  }

  #at(table: Float64Array, t: number): number {
    const f = Math.min(Math.max(t - FIRST, 0), LAST - FIRST - 1e-6);
    const i = Math.floor(f);
    return table[i] + (f - i) * (table[i + 1] - table[i]);
  }

  heading(t: number): number {
    return this.#at(this.#heading, t);
  }

  /** World point t metres along the road, `offset` metres right of its centre line, `above` metres over the ground. */
  point(t: number, offset: number, above = 0): [x: number, y: number, z: number] {
    const heading = this.heading(t);
    // The inside of a bend may not fold over its centre of curvature.
    const curvature = (this.heading(t + 2) - this.heading(t - 2)) / 4;
    const reach = curvature * offset > 0.85 ? 0.85 / curvature : offset;
    return [
      this.#at(this.#x, t) + reach * Math.cos(heading),
      -(this.groundHeight(t, offset) + above),
      this.#at(this.#z, t) - reach * Math.sin(heading),
    ];
  }

  /** Height of the ground over the first frame's road, metres up. */
  groundHeight(t: number, offset: number): number {
    const base = this.#at(this.#up, t);
    const out = offset > this.right ? offset - this.right : this.left - offset;
    if (out <= 0) return base;
    const side = offset > 0 ? 1 : 0;
    const profile = this.profiles[side];
    let [d0, h0] = [0, 0];
    let height = profile[profile.length - 1][1];
    for (const [d1, h1] of profile) {
      if (out <= d1) {
        height = h0 + ((out - d0) / (d1 - d0)) * (h1 - h0);
        break;
      }
      [d0, h0] = [d1, h1];
    }
    if (this.kind === 'city') return base + height;
    const swell = fractal.at(t * 1.1 + this.#seed * (side + 1), this.#seed, 1) - 0.5;
    const bumps = fractal.at(offset * 4 + this.#seed, t * 4, 1) - 0.5;
    return base + height * (1 + 1.6 * swell) + this.#roughness * bumps * 2 * Math.min(1, out / 4) * (1 + out / 20);
  }

  /** Lateral stations of one side, metres right of the centre line, outwards. */
  #stations(side: number): number[] {
    const profile = this.profiles[side];
    const outs = [0];
    let previous = 0;
    for (const [d] of profile) {
      const pieces = Math.min(5, Math.max(1, Math.round((d - previous) / (0.6 + 0.25 * previous))));
      for (let k = 1; k <= pieces; k++) outs.push(previous + ((d - previous) * k) / pieces);
      previous = d;
    }
    return outs.map((out) => (side === 1 ? this.right + out : this.left - out));
  }

  addGround(mesh: Mesh, seed: number): void {
    const along: number[] = [];
    for (let t = -6; t < LAST - 8; t += Math.max(0.7, Math.min(8, (t + 6) * 0.055))) along.push(t);
    along.push(LAST - 8);
    const middle = [this.left, (this.left + this.right) / 2, this.right];
    const strips: { stations: number[]; steepness: number; onRoad: boolean }[] = [
      { stations: middle, steepness: 0, onRoad: true },
      { stations: this.#stations(0), steepness: this.steepness[0], onRoad: false },
      { stations: this.#stations(1), steepness: this.steepness[1], onRoad: false },
    ];
    for (const { stations, steepness, onRoad } of strips) {
      let previousRow: [number, number, number][] | undefined;
      for (let i = 0; i < along.length; i++) {
        const row = stations.map((offset) => this.point(along[i], offset));
        if (previousRow) {
          for (let j = 0; j + 1 < stations.length; j++) {
            const [s0, s1] = [stations[j], stations[j + 1]];
            const width = Math.abs(s1 - s0);
            const rise = Math.abs(row[j][1] - row[j + 1][1]) / width;
            const inCity = this.kind === 'city' && !onRoad && j < 7;
            mesh.use(
              {
                material: inCity ? Material.Pavement : Material.Ground,
                colour: inCity ? [0.5, 0.49, 0.47] : [1, 1, 1],
                partOf: onRoad ? SceneClass.Road : undefined,
                p0: inCity ? 1.2 : steepness * Math.min(1, rise * 1.5),
              },
              seed,
            );
            const corners = [...previousRow[j], ...previousRow[j + 1], ...row[j + 1], ...row[j]];
            mesh.quad(corners, s0, along[i - 1], s1, along[i]);
          }
        }
        previousRow = row;
      }
    }
  }
}
