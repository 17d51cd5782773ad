/** Things that stand on the ground: boxes, vehicles, trees, buildings, walls, poles. */
import type { Random } from '../../random';
import { Material, SceneClass, type Mesh, type Surface } from './mesh';
import type { Road } from './road';

export type Colour = [number, number, number];
type Vector = [number, number, number];

/** A place on the ground and the direction there: local axes are right, up, forward. */
export interface Place {
  origin: Vector;
  heading: number;
}

export function placeOnRoad(road: Road, t: number, offset: number, turn = 0): Place {
  return { origin: road.point(t, offset), heading: road.heading(t) + turn };
}

function world({ origin, heading }: Place, right: number, up: number, forward: number): Vector {
  const [c, s] = [Math.cos(heading), Math.sin(heading)];
  return [origin[0] + c * right + s * forward, origin[1] - up, origin[2] - s * right + c * forward];
}

/** Surfaces of a box; a side left out is not drawn. */
export interface BoxSurfaces {
  sides: Surface;
  ends?: Surface;
  top?: Surface;
  bottom?: Surface;
  /** Texture coordinates in metres rather than 0..1. */
  metric?: boolean;
}

/**
 * A box right x0..x1, up y0..y1, forward z0..z1 whose top is drawn in by `inset` (metres: right, back, front).
 */
export function addBox(
  mesh: Mesh,
  place: Place,
  seed: number,
  [x0, x1, y0, y1, z0, z1]: readonly [number, number, number, number, number, number],
  surfaces: BoxSurfaces,
  inset: readonly [number, number, number] = [0, 0, 0],
  brightness = 1,
): void {
  const low = [world(place, x0, y0, z0), world(place, x1, y0, z0), world(place, x1, y0, z1), world(place, x0, y0, z1)];
  const [ix, ib, jf] = inset;
  const high = [
    world(place, x0 + ix, y1, z0 + ib),
    world(place, x1 - ix, y1, z0 + ib),
    world(place, x1 - ix, y1, z1 - jf),
    world(place, x0 + ix, y1, z1 - jf),
  ];
  for (let k = 0; k < 4; k++) {
    const next = (k + 1) % 4;
    const length = k % 2 === 0 ? x1 - x0 : z1 - z0;
    mesh.use(k % 2 === 0 ? (surfaces.ends ?? surfaces.sides) : surfaces.sides, seed + k * 0.37, brightness);
    const corners = [...low[k], ...low[next], ...high[next], ...high[k]];
    if (surfaces.metric) mesh.quad(corners, 0, y0, length, y1);
    else mesh.quad(corners, 0, 0, 1, 1);
  }
  mesh.use(surfaces.top ?? surfaces.sides, seed + 2.1, brightness);
  mesh.quad(high.flat(), 0, 0, surfaces.metric ? x1 - x0 : 1, surfaces.metric ? z1 - z0 : 1);
  if (surfaces.bottom) {
    mesh.use(surfaces.bottom, seed + 3.3, brightness);
    mesh.quad(low.flat(), 0, 0, 1, 1);
  }
}

/** An upright panel facing the first camera, centred at `origin` + up. Half sizes in metres; texture -1..1. */
function addBillboard(mesh: Mesh, at: Vector, halfWidth: number, halfHeight: number, tilt = 0): void {
  const distance = Math.hypot(at[0], at[2]) || 1;
  const [rx, rz] = [at[2] / distance, -at[0] / distance];
  const [c, s] = [Math.cos(tilt), Math.sin(tilt)];
  const corner = (a: number, b: number): Vector => {
    const along = c * a * halfWidth - s * b * halfHeight;
    return [at[0] + rx * along, at[1] - (s * a * halfWidth + c * b * halfHeight), at[2] + rz * along];
  };
  mesh.quad([...corner(-1, -1), ...corner(1, -1), ...corner(1, 1), ...corner(-1, 1)], -1, -1, 1, 1);
}

export function scaled(colour: Colour, by: number): Colour {
  return [colour[0] * by, colour[1] * by, colour[2] * by];
}

function vary(random: Random, colour: Colour, amount: number): Colour {
  const common = random.between(1 - amount, 1 + amount);
  return colour.map((c) => Math.min(1, c * common * random.between(1 - amount / 3, 1 + amount / 3))) as Colour;
}

/** Leaves around a point, lit more where they lie high. */
function addClump(
  mesh: Mesh,
  random: Random,
  at: Vector,
  radius: number,
  colour: Colour,
  brightness: number,
  flatness = 0.8,
): void {
  const surface: Surface = {
    material: Material.Foliage,
    colour: vary(random, colour, 0.25),
    p0: Math.min(70, 9 + radius * random.between(8, 16)),
    p1: random.between(0.18, 0.42),
    unlit: true,
  };
  mesh.use(surface, random.between(0, 1000), brightness);
  addBillboard(mesh, at, radius, radius * random.between(flatness * 0.8, flatness * 1.2), random.between(-0.4, 0.4));
}

function addTrunk(mesh: Mesh, random: Random, foot: Vector, radius: number, height: number, colour: Colour): void {
  mesh.use({ material: Material.Bark, colour: vary(random, colour, 0.2) }, random.between(0, 1000));
  const lean = random.between(-0.05, 0.05) * height;
  const distance = Math.hypot(foot[0], foot[2]) || 1;
  const [rx, rz] = [(foot[2] / distance) * radius, (-foot[0] / distance) * radius];
  const [x, y, z] = foot;
  const top = 0.6;
  // Two panels, the front one narrower and nearer, stand for the round trunk.
  mesh.quad(
    [
      x - rx,
      y + 0.3,
      z - rz,
      x + rx,
      y + 0.3,
      z + rz,
      x + lean + rx * top,
      y - height,
      z + rz * top,
      x + lean - rx * top,
      y - height,
      z - rz * top,
    ],
    -radius,
    0,
    radius,
    height,
  );
}

export interface TreeStyle {
  leaf: Colour;
  bark: Colour;
  /** Light on leaves at the foot and at the crown of a tree. */
  low: number;
  high: number;
}

export function addTree(
  mesh: Mesh,
  random: Random,
  foot: Vector,
  height: number,
  style: TreeStyle,
  conifer: boolean,
  clumps: number,
): void {
  const colour = vary(random, style.leaf, 0.3);
  const light = (share: number): number => (style.low + (style.high - style.low) * share) * random.between(0.65, 1.25);
  if (conifer) {
    addTrunk(mesh, random, foot, height * random.between(0.007, 0.017), height * 0.9, style.bark);
    const base = random.between(0.1, 0.5);
    const width = height * random.between(0.1, 0.2);
    for (let k = 0; k < clumps; k++) {
      const share = (k + random.uniform()) / clumps;
      const radius = width * (1.05 - share) + 0.3;
      const at: Vector = [
        foot[0] + random.between(-0.4, 0.4) * radius,
        foot[1] - height * (base + (1 - base) * share),
        foot[2] + random.between(-0.4, 0.4) * radius,
      ];
      addClump(mesh, random, at, radius, colour, light(share), 0.7);
    }
    return;
  }
  const crown = height * random.between(0.28, 0.42);
  const trunk = height - 1.3 * crown;
  addTrunk(mesh, random, foot, height * random.between(0.01, 0.024), Math.max(0.3, trunk) + crown * 0.5, style.bark);
  for (let k = 0; k < clumps; k++) {
    const angle = random.between(0, 2 * Math.PI);
    const out = crown * Math.sqrt(random.uniform()) * 0.8;
    const up = random.between(-0.75, 0.75);
    const spread = Math.sqrt(1 - up * up);
    const at: Vector = [
      foot[0] + out * spread * Math.cos(angle),
      foot[1] - (height - crown + up * crown * 0.85),
      foot[2] + out * spread * Math.sin(angle),
    ];
    addClump(mesh, random, at, crown * random.between(0.35, 0.62), colour, light(0.5 + up / 2));
  }
}

export function addBush(mesh: Mesh, random: Random, foot: Vector, size: number, style: TreeStyle): void {
  const colour = vary(random, style.leaf, 0.4);
  const clumps = 2 + random.integer(3);
  for (let k = 0; k < clumps; k++) {
    const at: Vector = [
      foot[0] + random.between(-0.7, 0.7) * size,
      foot[1] - size * random.between(0.25, 0.7),
      foot[2] + random.between(-0.7, 0.7) * size,
    ];
    addClump(
      mesh,
      random,
      at,
      size * random.between(0.5, 0.9),
      colour,
      (style.low + style.high) * random.between(0.35, 0.6),
      0.75,
    );
  }
}

/** Clumps of leaves hanging over the road. */
export function addCanopy(mesh: Mesh, random: Random, at: Vector, style: TreeStyle): void {
  for (let k = 0; k < 3; k++) {
    const where: Vector = [
      at[0] + random.between(-1.5, 1.5),
      at[1] + random.between(-1, 1),
      at[2] + random.between(-1.5, 1.5),
    ];
    addClump(mesh, random, where, random.between(0.8, 2), style.leaf, random.between(style.low, style.high));
  }
}

/** A box with its surface given along the road: walls, rails, hedges, kerbs. Heights above ground, thickness in metres. */
export function addAlongRoad(
  mesh: Mesh,
  road: Road,
  surface: Surface,
  seed: number,
  [t0, t1]: readonly [number, number],
  offset: number,
  [low, high]: readonly [number, number],
  thickness: number,
): void {
  for (let t = t0; t < t1;) {
    const step = Math.max(2, Math.min(12, Math.abs(t) * 0.12));
    const end = Math.min(t1, t + step);
    const inner = offset > 0 ? offset - thickness / 2 : offset + thickness / 2;
    const outer = offset > 0 ? offset + thickness / 2 : offset - thickness / 2;
    mesh.use(surface, seed);
    for (const side of thickness > 0 ? [inner, outer] : [offset]) {
      const corners = [
        ...road.point(t, side, low),
        ...road.point(end, side, low),
        ...road.point(end, side, high),
        ...road.point(t, side, high),
      ];
      mesh.quad(corners, t, low, end, high);
    }
    if (thickness > 0) {
      const corners = [
        ...road.point(t, inner, high),
        ...road.point(end, inner, high),
        ...road.point(end, outer, high),
        ...road.point(t, outer, high),
      ];
      mesh.quad(corners, t, 0, end, thickness);
    }
    t = end;
  }
}

/** A thin post; radius and height in metres. */
export function addPole(
  mesh: Mesh,
  place: Place,
  seed: number,
  radius: number,
  height: number,
  colour: Colour,
  right = 0,
  forward = 0,
): void {
  const surface: Surface = { material: Material.Concrete, colour };
  addBox(mesh, place, seed, [right - radius, right + radius, -0.3, height, forward - radius, forward + radius], {
    sides: surface,
    metric: true,
  });
}

export function addSign(mesh: Mesh, random: Random, place: Place): void {
  const height = random.between(1.6, 3);
  const width = random.between(0.25, 0.7);
  const seed = random.between(0, 1000);
  const colours: Colour[] = [
    [0.85, 0.85, 0.85],
    [0.9, 0.65, 0.05],
    [0.7, 0.08, 0.08],
    [0.05, 0.35, 0.2],
    [0.1, 0.2, 0.6],
    [0.9, 0.35, 0.05],
  ];
  addPole(mesh, place, seed, 0.04, height, [0.45, 0.45, 0.45]);
  const face: Surface = { material: Material.Sign, colour: colours[random.integer(colours.length)] };
  addBox(mesh, place, seed, [-width, width, height - width, height + width * 0.8, -0.07, -0.05], {
    sides: { material: Material.Plain, colour: [0.4, 0.4, 0.4] },
    ends: face,
  });
}

export function addBuilding(
  mesh: Mesh,
  random: Random,
  place: Place,
  width: number,
  depth: number,
  height: number,
): void {
  const seed = random.between(0, 1000);
  const tones: Colour[] = [
    [0.62, 0.56, 0.48],
    [0.7, 0.68, 0.64],
    [0.5, 0.28, 0.22],
    [0.45, 0.45, 0.47],
    [0.72, 0.66, 0.5],
    [0.55, 0.6, 0.62],
    [0.8, 0.78, 0.74],
    [0.36, 0.3, 0.27],
  ];
  const facade: Surface = {
    material: Material.Facade,
    colour: vary(random, tones[random.integer(tones.length)], 0.25),
    p0: random.between(2.8, 4),
    p1: random.between(1.4, 3.5),
    p2: random.between(0.3, 0.75),
  };
  const partOf = SceneClass.Building;
  const roof: Surface = { material: Material.Concrete, colour: vary(random, [0.4, 0.36, 0.34], 0.3), partOf };
  addBox(mesh, place, seed, [-width / 2, width / 2, -1, height, -depth / 2, depth / 2], {
    sides: facade,
    top: roof,
    metric: true,
  });
  if (height < 9 && random.chance(0.7)) {
    const tiles: Surface = { material: Material.Concrete, colour: vary(random, [0.42, 0.24, 0.18], 0.4), partOf };
    const half = Math.min(width, depth) / 2;
    addBox(
      mesh,
      place,
      seed,
      [-width / 2 - 0.3, width / 2 + 0.3, height, height + half * 0.7, -depth / 2 - 0.3, depth / 2 + 0.3],
      { sides: tiles, metric: true },
      [half * 0.95, half * 0.5, half * 0.5],
    );
  } else if (random.chance(0.5)) {
    const ledge: Surface = { material: Material.Concrete, colour: vary(random, [0.6, 0.58, 0.55], 0.3), partOf };
    addBox(
      mesh,
      place,
      seed,
      [-width / 2 - 0.25, width / 2 + 0.25, height - 0.5, height, -depth / 2 - 0.25, depth / 2 + 0.25],
      {
        sides: ledge,
        metric: true,
      },
    );
  }
  if (random.chance(0.5)) {
    const awning: Surface = { material: Material.Plain, colour: vary(random, [0.6, 0.25, 0.2], 0.6), partOf };
    addBox(
      mesh,
      place,
      seed,
      [-width / 2 - 1, width / 2 + 1, 2.4, 3, -depth * 0.4, depth * random.between(-0.1, 0.4)],
      {
        sides: awning,
        bottom: awning,
      },
    );
  }
}

export function addPedestrian(mesh: Mesh, random: Random, place: Place): void {
  const seed = random.between(0, 1000);
  const height = random.between(1.5, 1.9);
  const plain = (colour: Colour): BoxSurfaces => ({
    sides: { material: Material.Plain, colour, partOf: SceneClass.Person },
  });
  const clothes = (): Colour => [random.between(0.03, 0.7), random.between(0.03, 0.6), random.between(0.03, 0.65)];
  const trousers = plain(vary(random, [0.12, 0.13, 0.2], 0.7));
  const stride = random.between(0, 0.3);
  addBox(mesh, place, seed, [-0.18, -0.02, 0, height * 0.48, -0.1 - stride, 0.1 - stride], trousers, [0, 0, 0]);
  addBox(mesh, place, seed, [0.02, 0.18, 0, height * 0.48, -0.1 + stride, 0.1 + stride], trousers);
  addBox(
    mesh,
    place,
    seed,
    [-0.26, 0.26, height * 0.46, height * 0.84, -0.15, 0.15],
    plain(clothes()),
    [0.06, 0.02, 0.02],
  );
  addBox(mesh, place, seed, [-0.1, 0.1, height * 0.84, height, -0.1, 0.1], plain(vary(random, [0.5, 0.36, 0.28], 0.4)));
}
