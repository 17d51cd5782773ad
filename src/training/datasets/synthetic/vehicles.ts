/** Cars, vans and trucks out of tapered boxes. Local axes: right, up, forward; the place is the centre of the footprint. */
import type { Random } from '../../random';
import { Material, SceneClass, type Mesh, type Surface } from './mesh';
import { addBox, type Colour, type Place } from './objects';

const GLASS: Surface = { material: Material.Glass, colour: [0.1, 0.12, 0.14] };
const RUBBER: Surface = { material: Material.Plain, colour: [0.03, 0.03, 0.035], partOf: SceneClass.Vehicle };
const CHROME: Surface = { material: Material.Plain, colour: [0.5, 0.5, 0.52], partOf: SceneClass.Vehicle };

function paintColour(random: Random): Colour {
  const common: Colour[] = [
    [0.78, 0.78, 0.78],
    [0.05, 0.05, 0.06],
    [0.4, 0.41, 0.43],
    [0.22, 0.23, 0.25],
    [0.5, 0.05, 0.05],
    [0.06, 0.12, 0.35],
    [0.55, 0.5, 0.42],
  ];
  if (random.chance(0.85)) return common[random.integer(common.length)];
  return [random.between(0.05, 0.8), random.between(0.05, 0.8), random.between(0.05, 0.8)];
}

function addDisc(
  mesh: Mesh,
  { origin, heading }: Place,
  right: number,
  up: number,
  forward: number,
  radius: number,
  colour: Colour,
): void {
  const [c, s] = [Math.cos(heading), Math.sin(heading)];
  const corners = [
    [-1, -1],
    [1, -1],
    [1, 1],
    [-1, 1],
  ].flatMap(([a, b]) => {
    const f = forward + a * radius;
    return [origin[0] + c * right + s * f, origin[1] - up - b * radius, origin[2] - s * right + c * f];
  });
  mesh.use({ material: Material.Disc, colour }, 0);
  mesh.quad(corners, -1, -1, 1, 1);
}

function addShadow(mesh: Mesh, { origin, heading }: Place, halfWidth: number, halfLength: number, seed: number): void {
  const [c, s] = [Math.cos(heading), Math.sin(heading)];
  const corners = [
    [-1, -1],
    [1, -1],
    [1, 1],
    [-1, 1],
  ].flatMap(([a, b]) => {
    const [r, f] = [a * halfWidth, b * halfLength];
    return [origin[0] + c * r + s * f, origin[1] - 0.02, origin[2] - s * r + c * f];
  });
  mesh.use({ material: Material.Shadow, colour: [0.03, 0.03, 0.035], unlit: true }, seed);
  mesh.quad(corners, -1, -1, 1, 1);
}

/** Lamps and number plates at both ends. */
function addLamps(
  mesh: Mesh,
  random: Random,
  place: Place,
  width: number,
  length: number,
  up: number,
  seed: number,
): void {
  const braking = random.chance(0.3);
  const rear: Surface = {
    material: Material.Lamp,
    colour: braking ? [0.95, 0.15, 0.1] : [0.4, 0.03, 0.03],
    unlit: braking,
  };
  const lit = random.chance(0.3);
  const front: Surface = { material: Material.Lamp, colour: lit ? [1, 1, 0.92] : [0.6, 0.6, 0.6], unlit: lit };
  const size = random.between(0.1, 0.25);
  for (const side of [-1, 1]) {
    const x = side * (width / 2 - size);
    addBox(mesh, place, seed, [x - size * 0.9, x + size * 0.9, up, up + 0.16, -length / 2 - 0.02, -length / 2 + 0.1], {
      sides: rear,
    });
    addBox(mesh, place, seed, [x - size * 0.9, x + size * 0.9, up, up + 0.14, length / 2 - 0.1, length / 2 + 0.02], {
      sides: front,
    });
  }
  const plate: Surface = { material: Material.Sign, colour: [0.75, 0.75, 0.7], partOf: SceneClass.Vehicle };
  const y = random.between(0.4, 0.8);
  addBox(mesh, place, seed, [-0.25, 0.25, y, y + 0.12, -length / 2 - 0.03, length / 2 + 0.03], { sides: plate });
}

export function addCar(mesh: Mesh, random: Random, place: Place): void {
  const seed = random.between(0, 1000);
  const tall = random.chance(0.4);
  const width = random.between(1.65, 1.95);
  const length = random.between(3.7, 4.9);
  const floor = random.between(0.2, 0.32);
  const waist = tall ? random.between(1, 1.15) : random.between(0.82, 0.95);
  const roof = tall ? random.between(1.6, 1.85) : random.between(1.38, 1.52);
  const paint: Surface = { material: Material.Paint, colour: paintColour(random) };
  const [w, l] = [width / 2, length / 2];
  addShadow(mesh, place, w * 1.12, l * 1.08, seed);
  addBox(mesh, place, seed, [-w, w, floor, floor + (waist - floor) * 0.6, -l, l], { sides: paint, bottom: RUBBER });
  addBox(mesh, place, seed, [-w, w, floor + (waist - floor) * 0.6, waist, -l, l], { sides: paint }, [0.06, 0.08, 0.16]);
  const hatch = tall || random.chance(0.4);
  const back = hatch ? -l + 0.12 : -l + random.between(0.6, 0.9);
  const bonnet = l - random.between(0.8, 1.25);
  const inset: [number, number, number] = [0.18, hatch ? random.between(0.15, 0.4) : 0.6, random.between(0.5, 0.8)];
  addBox(
    mesh,
    place,
    seed,
    [-w + 0.06, w - 0.06, waist, roof - 0.06, back, bonnet],
    { sides: GLASS, top: paint },
    inset,
  );
  addBox(mesh, place, seed, [-w + 0.23, w - 0.23, roof - 0.07, roof, back + inset[1], bonnet - inset[2]], {
    sides: paint,
  });
  for (const side of [-1, 1]) {
    // Door pillar.
    addBox(mesh, place, seed, [side * (w - 0.12) - 0.03, side * (w - 0.12) + 0.03, waist, roof - 0.05, -0.2, -0.05], {
      sides: paint,
    });
    for (const axle of [-0.3, 0.3]) {
      const radius = random.between(0.29, 0.36);
      addDisc(mesh, place, side * (w + 0.01), radius, axle * length, radius, [0.03, 0.03, 0.035]);
      addDisc(mesh, place, side * (w + 0.02), radius, axle * length, radius * 0.6, [0.35, 0.35, 0.36]);
      addBox(
        mesh,
        place,
        seed,
        [side * (w - 0.12) - 0.1, side * (w - 0.12) + 0.1, 0, 0.4, axle * length - 0.25, axle * length + 0.25],
        {
          sides: RUBBER,
        },
      );
    }
  }
  addBox(mesh, place, seed, [-w + 0.05, w - 0.05, floor - 0.02, floor + 0.13, -l - 0.03, l + 0.03], {
    sides: random.chance(0.5) ? RUBBER : CHROME,
  });
  addLamps(mesh, random, place, width, length, waist - random.between(0.2, 0.35), seed);
}

/** A van, lorry or bus. */
export function addTruck(mesh: Mesh, random: Random, place: Place): void {
  const seed = random.between(0, 1000);
  const big = random.chance(0.5);
  const width = big ? random.between(2.3, 2.55) : random.between(1.85, 2.1);
  const length = big ? random.between(7, 14) : random.between(4.8, 6.5);
  const height = big ? random.between(3, 4) : random.between(2, 2.6);
  const [w, l] = [width / 2, length / 2];
  const body: Surface = {
    material: Material.Paint,
    colour: random.chance(0.5) ? [0.75, 0.75, 0.74] : paintColour(random),
  };
  const cab: Surface = { material: Material.Paint, colour: random.chance(0.5) ? body.colour : paintColour(random) };
  addShadow(mesh, place, w * 1.1, l * 1.04, seed);
  const floor = big ? 0.9 : 0.35;
  const cabLength = big ? 2 : 1.6;
  addBox(mesh, place, seed, [-w, w, floor, height, -l, l - cabLength - 0.1], { sides: body, bottom: RUBBER });
  addBox(mesh, place, seed, [-w + 0.05, w - 0.05, 0.35, height * 0.5, l - cabLength, l], {
    sides: cab,
    bottom: RUBBER,
  });
  addBox(
    mesh,
    place,
    seed,
    [-w + 0.07, w - 0.07, height * 0.5, height * 0.82, l - cabLength, l],
    { sides: GLASS, top: cab },
    [0.1, 0, big ? 0.1 : 0.6],
  );
  addBox(mesh, place, seed, [-w * 0.5, w * 0.5, 0.45, floor + 0.02, -l, l - cabLength], { sides: RUBBER });
  for (const side of [-1, 1]) {
    for (const axle of [-0.36, -0.26, 0.36]) {
      const radius = big ? 0.48 : 0.36;
      addBox(
        mesh,
        place,
        seed,
        [
          side * (w - 0.16) - 0.14,
          side * (w - 0.16) + 0.14,
          0,
          radius * 1.6,
          axle * length - radius,
          axle * length + radius,
        ],
        { sides: RUBBER },
        [0, radius * 0.4, radius * 0.4],
      );
      addDisc(mesh, place, side * (w + 0.01), radius, axle * length, radius, [0.04, 0.04, 0.04]);
    }
  }
  if (!big || random.chance(0.3)) {
    addBox(mesh, place, seed, [-w + 0.15, w - 0.15, height * 0.55, height * 0.88, -l - 0.02, -l + 0.1], {
      sides: GLASS,
    });
  }
  addLamps(mesh, random, place, width, length, floor + 0.12, seed);
}
