/** What stands along a road and drives on it: trees, barriers, street fronts, traffic. */
import type { Random } from '../../random';
import { Material, type Mesh, type Surface } from './mesh';
import * as things from './objects';
import { type Colour, placeOnRoad, scaled, type TreeStyle } from './objects';
import type { Road } from './road';
import { addCar, addTruck } from './vehicles';

function edge(road: Road, side: number, out: number): number {
  return side > 0 ? road.right + out : road.left - out;
}

/** Denser near the camera, so that near views are rich and far ones cheap. */
function alongRoad(random: Random, near: number, far: number): number {
  return near + (far - near) * random.uniform() ** 1.7;
}

export function lineCountry(
  mesh: Mesh,
  random: Random,
  road: Road,
  side: number,
  style: TreeStyle,
  shaded: boolean,
): void {
  const mountain = road.kind === 'mountain';
  const density = shaded ? random.between(0.6, 1) : random.uniform() ** 1.5;
  const nearest = mountain
    ? random.between(0.8, 4)
    : road.kind === 'highway'
      ? random.between(4, 14)
      : random.between(2, 10);
  const conifers = random.chance(0.5) ? 0.1 : random.between(0.4, 1);
  const tall = (mountain ? random.between(9, 26) : random.between(5, 14)) * (0.6 + 0.4 * density);
  const trees = Math.round(density * (mountain ? 95 : 55));
  for (let k = 0; k < trees; k++) {
    const t = alongRoad(random, 1, 210);
    const out = nearest + random.uniform() ** 1.6 * (mountain ? 26 : 50);
    const foot = road.point(t, edge(road, side, out), -0.15);
    const clumps = t < 30 ? 16 : t < 80 ? 9 : 5;
    things.addTree(mesh, random, foot, tall * random.between(0.5, 1.25), style, random.chance(conifers), clumps);
  }
  const bushes = Math.round(random.uniform() * (mountain ? 70 : 45));
  for (let k = 0; k < bushes; k++) {
    const t = alongRoad(random, 1, 120);
    const out = random.between(0.6, 2) + nearest * 0.4 + random.uniform() ** 2 * 18;
    things.addBush(mesh, random, road.point(t, edge(road, side, out), -0.1), random.between(0.25, 1.6), style);
  }
  if (random.chance(shaded ? 0.95 : density * 0.8)) {
    // The wall of leaves into which a forest closes behind its first trees.
    const leaf = scaled(style.leaf, (style.low + style.high) * 0.5 * random.between(0.4, 0.9));
    for (let k = 0; k < 3; k++) {
      const height = tall * random.between(0.6, 1.2);
      const surface: Surface = {
        material: Material.Curtain,
        colour: scaled(leaf, random.between(0.6, 1.3)),
        p0: height,
        p1: random.between(6, 16),
        unlit: true,
      };
      const out = nearest + 3 + k * random.between(3, 9);
      things.addAlongRoad(
        mesh,
        road,
        surface,
        random.between(0, 1000),
        [-4 + random.between(0, 30) * k, 280],
        edge(road, side, out),
        [-1, height],
        0,
      );
    }
  }
  if (shaded && random.chance(0.7)) {
    for (let k = 0; k < 8; k++) {
      const [x, y, z] = road.point(random.between(5, 90), random.between(road.left, road.right), random.between(5, 10));
      things.addCanopy(mesh, random, [x, y, z], style);
    }
  }
  if (random.chance(0.4)) addBarrier(mesh, random, road, side);
  const poles = random.chance(0.4) ? random.between(25, 50) : 0;
  for (let t = random.between(3, 30); poles > 0 && t < 200; t += poles) {
    const wood: Colour = [0.3, 0.25, 0.2];
    things.addPole(
      mesh,
      placeOnRoad(road, t, edge(road, side, random.between(1, 3))),
      3,
      0.13,
      random.between(7, 10),
      wood,
    );
  }
  const posts = random.chance(0.3) ? random.between(8, 25) : 0;
  const postColour: Colour = random.chance(0.5) ? [0.8, 0.8, 0.8] : [0.8, 0.3, 0.08];
  for (let t = random.between(3, 20); posts > 0 && t < 120; t += posts) {
    things.addPole(mesh, placeOnRoad(road, t, edge(road, side, 0.5)), 5, 0.06, 0.95, postColour);
  }
  for (let k = random.chance(0.5) ? random.integer(3) : 0; k > 0; k--) {
    things.addSign(
      mesh,
      random,
      placeOnRoad(road, alongRoad(random, 6, 90), edge(road, side, random.between(0.8, 3)), random.between(-0.1, 0.1)),
    );
  }
  for (let k = random.chance(0.3) ? random.integer(6) : 0; k > 0; k--) {
    const place = placeOnRoad(
      road,
      random.between(15, 180),
      edge(road, side, random.between(10, 30)),
      random.between(-0.4, 0.4),
    );
    things.addBuilding(mesh, random, place, random.between(7, 14), random.between(7, 16), random.between(3, 7));
  }
}

function addBarrier(mesh: Mesh, random: Random, road: Road, side: number): void {
  const offset = edge(road, side, random.between(0.2, 1));
  const reach: [number, number] = [
    random.chance(0.7) ? -5 : random.between(0, 40),
    random.chance(0.7) ? 260 : random.between(50, 150),
  ];
  const seed = random.between(0, 1000);
  const choice = random.uniform();
  const grey: Colour = scaled([0.62, 0.62, 0.6], random.between(0.6, 1.2));
  if (choice < 0.45) {
    things.addAlongRoad(
      mesh,
      road,
      { material: Material.Concrete, colour: grey },
      seed,
      reach,
      offset,
      [0.42, 0.74],
      0.06,
    );
    const posts: Surface = { material: Material.Fence, colour: scaled(grey, 0.6), p0: random.between(2, 4), p1: 0.06 };
    things.addAlongRoad(mesh, road, posts, seed, reach, offset + side * 0.06, [-0.2, 0.72], 0.06);
  } else if (choice < 0.8) {
    things.addAlongRoad(
      mesh,
      road,
      { material: Material.Concrete, colour: grey },
      seed,
      reach,
      offset,
      [-0.3, random.between(0.6, 1.2)],
      0.35,
    );
  } else {
    const rails: Surface = { material: Material.Concrete, colour: [0.4, 0.32, 0.24] };
    for (const low of [0.4, 0.8])
      things.addAlongRoad(mesh, road, rails, seed, reach, offset + side, [low, low + 0.12], 0.05);
    things.addAlongRoad(
      mesh,
      road,
      { material: Material.Fence, colour: [0.4, 0.32, 0.24], p0: 2.2, p1: 0.07 },
      seed,
      reach,
      offset + side,
      [-0.2, 1.05],
      0.05,
    );
  }
}

export function addHighwayFurniture(mesh: Mesh, random: Random, road: Road, style: TreeStyle): void {
  const seed = random.between(0, 1000);
  const grey: Colour = scaled([0.6, 0.6, 0.58], random.between(0.6, 1.2));
  if (random.chance(0.75)) {
    // The median barrier, and what lies beyond it.
    things.addAlongRoad(
      mesh,
      road,
      { material: Material.Concrete, colour: grey },
      seed,
      [-6, 300],
      road.left - 0.3,
      [-0.3, random.between(0.7, 1.1)],
      0.4,
    );
    if (random.chance(0.4)) {
      for (let k = 0; k < 25; k++)
        things.addBush(
          mesh,
          random,
          road.point(alongRoad(random, 3, 150), road.left - 1.5),
          random.between(0.5, 1.2),
          style,
        );
    }
  }
  if (random.chance(0.2)) {
    const wall: Surface = { material: Material.Concrete, colour: scaled([0.55, 0.5, 0.44], random.between(0.6, 1.2)) };
    things.addAlongRoad(
      mesh,
      road,
      wall,
      seed + 5,
      [-6, 300],
      road.right + random.between(0.5, 6),
      [-1, random.between(2, 5)],
      0.3,
    );
  }
  const width = road.right - road.left;
  for (let k = random.chance(0.35) ? 1 + random.integer(2) : 0; k > 0; k--) {
    const place = placeOnRoad(road, random.between(25, 160), (road.left + road.right) / 2);
    const half = width / 2 + 2;
    if (random.chance(0.5)) {
      const steel: Colour = [0.5, 0.5, 0.5];
      for (const x of [-half, half]) things.addPole(mesh, place, seed, 0.2, 7, steel, x);
      things.addBox(mesh, place, seed, [-half, half, 6.3, 6.7, -0.15, 0.15], {
        sides: { material: Material.Fence, colour: steel, p0: 0.5, p1: 0.4 },
        metric: true,
      });
      const panel: Surface = {
        material: Material.Sign,
        colour: random.chance(0.6) ? [0.03, 0.32, 0.18] : [0.08, 0.2, 0.55],
      };
      for (let p = -half + 2; p + 4 < half; p += 5)
        things.addBox(mesh, place, seed, [p, p + 4, 5.6, 7.8, -0.3, -0.2], { sides: panel });
    } else {
      const concrete: Surface = { material: Material.Concrete, colour: grey };
      const deck = random.between(5.2, 7);
      things.addBox(mesh, place, seed, [-60, 60, deck, deck + 1.6, -4, 5], {
        sides: concrete,
        bottom: { material: Material.Concrete, colour: scaled(grey, 0.5) },
        metric: true,
      });
      for (const x of [-half - 1, half + 1])
        things.addBox(mesh, place, seed, [x - 0.6, x + 0.6, -2, deck, -3, 4], { sides: concrete, metric: true });
    }
  }
}

export function lineStreet(mesh: Mesh, random: Random, road: Road, side: number, style: TreeStyle): void {
  const walk = random.between(2, 5.5);
  const houses = random.chance(0.35);
  const gapShare = random.chance(0.4) ? random.between(0.1, 0.5) : 0.04;
  for (let t = random.between(-15, 0); t < 230;) {
    const frontage = houses ? random.between(7, 14) : random.between(8, 28);
    const height = houses ? random.between(4, 8) : random.between(7, 26);
    const depth = random.between(8, 16);
    if (!random.chance(gapShare)) {
      const setback = walk + (houses ? random.between(1, 7) : random.between(0, 1));
      const place = placeOnRoad(road, t + frontage / 2, edge(road, side, setback + depth / 2));
      things.addBuilding(mesh, random, place, depth, frontage, height);
    }
    t += frontage + (houses ? random.between(1, 6) : random.chance(0.15) ? random.between(3, 12) : 0);
  }
  if (houses && random.chance(0.6)) {
    const hedge: Surface = random.chance(0.5)
      ? { material: Material.Curtain, colour: scaled(style.leaf, 0.9), p0: 1.6, p1: 20, unlit: true }
      : { material: Material.Fence, colour: [0.7, 0.68, 0.64], p0: 0.18, p1: 0.65 };
    things.addAlongRoad(
      mesh,
      road,
      hedge,
      random.between(0, 1000),
      [-5, 150],
      edge(road, side, walk + 0.3),
      [0, random.between(0.8, 1.8)],
      0.3,
    );
  }
  const treeStep = random.chance(0.5) ? random.between(7, 16) : random.chance(0.4) ? random.between(20, 40) : 0;
  for (let t = random.between(2, 12); treeStep > 0 && t < 170; t += treeStep * random.between(0.8, 1.3)) {
    things.addTree(
      mesh,
      random,
      road.point(t, edge(road, side, random.between(0.6, 1.2))),
      random.between(4, 10),
      style,
      false,
      t < 40 ? 14 : 7,
    );
  }
  const lampStep = random.between(18, 40);
  for (let t = random.between(3, 18); t < 190; t += lampStep) {
    const place = placeOnRoad(road, t, edge(road, side, 0.5));
    const height = random.between(4, 9);
    const metal: Colour = [0.25, 0.26, 0.27];
    things.addPole(mesh, place, 2, 0.09, height, metal);
    things.addBox(mesh, place, 2, [side > 0 ? -1.6 : 0, side > 0 ? 0 : 1.6, height - 0.1, height, -0.06, 0.06], {
      sides: { material: Material.Plain, colour: metal },
    });
    if (random.chance(0.15)) {
      things.addBox(mesh, place, 2, [-0.16, 0.16, 2.3, 3.2, -0.15, 0.15], {
        sides: { material: Material.Plain, colour: [0.06, 0.06, 0.06] },
      });
    }
  }
  for (let k = random.integer(4); k > 0; k--) {
    things.addSign(
      mesh,
      random,
      placeOnRoad(
        road,
        alongRoad(random, 4, 80),
        edge(road, side, random.between(0.4, 0.9)),
        random.between(-0.3, 0.3),
      ),
    );
  }
  for (let k = random.integer(7); k > 0; k--) {
    const direction = random.chance(0.5) ? 0 : Math.PI;
    const place = placeOnRoad(road, alongRoad(random, 5, 70), edge(road, side, random.between(0.5, walk)), direction);
    const pace = random.between(0.02, 0.08) * (direction === 0 ? 1 : -1);
    mesh.motion = mesh.addMotion([Math.sin(road.heading(10)) * pace, 0, Math.cos(road.heading(10)) * pace]);
    things.addPedestrian(mesh, random, place);
    mesh.motion = 0;
  }
  const parked = random.chance(0.75) ? random.between(0.3, 1) : 0;
  const parkAt = side > 0 ? road.right - 1.1 : road.left + 1.1;
  const outermost =
    side > 0 ? road.ownLanes[road.ownLanes.length - 1] : (road.oncomingLanes[road.oncomingLanes.length - 1] ?? 0);
  if (Math.abs(parkAt) - Math.abs(outermost) < 2.1) return;
  for (let t = random.between(-2, 6); t < 130; t += random.between(5.3, 6.6)) {
    if (!random.chance(parked)) continue;
    const place = placeOnRoad(road, t, parkAt + random.between(-0.15, 0.15), side < 0 ? Math.PI : 0);
    if (random.chance(0.12)) addTruck(mesh, random, place);
    else addCar(mesh, random, place);
  }
}

/** Cars in our direction and oncoming. Nothing stands where the camera drives in these few frames. */
export function addTraffic(mesh: Mesh, random: Random, road: Road, lane: number, speed: number): void {
  const busy = random.uniform() * { highway: 12, city: 9, rural: 4, mountain: 3 }[road.kind];
  const taken: [number, number][] = [];
  const put = (t: number, offset: number, pace: number, turn: number): void => {
    if (taken.some(([s, o]) => Math.abs(s - t) < 16 && Math.abs(o - offset) < 2)) return;
    taken.push([t, offset]);
    const place = placeOnRoad(road, t, offset + random.between(-0.3, 0.3), turn);
    const heading = road.heading(t);
    const rise = road.point(t + 1, offset)[1] - road.point(t, offset)[1];
    mesh.motion = mesh.addMotion([Math.sin(heading) * pace, rise * pace, Math.cos(heading) * pace]);
    if (random.chance(0.2)) addTruck(mesh, random, place);
    else addCar(mesh, random, place);
    mesh.motion = 0;
  };
  for (let k = Math.floor(busy); k > 0; k--) {
    const own = road.ownLanes[random.integer(road.ownLanes.length)];
    const inOurLane = Math.abs(own - lane) < road.laneWidth * 0.7;
    const t = inOurLane ? random.between(9, 80) : alongRoad(random, -3, 110);
    put(t, own, Math.max(0, speed * random.between(0.7, 1.25)), 0);
  }
  for (const oncoming of road.oncomingLanes) {
    for (let k = random.integer(1 + Math.ceil(busy / 2)); k > 0; k--)
      put(alongRoad(random, 6, 130), oncoming, -random.between(0.3, 2.2), Math.PI);
  }
}
