/** Puts a drive's surroundings together: what kind of road, what stands along it, in which light. */
import type { Random } from '../../random';
import { Mesh } from './mesh';
import { type Colour, scaled, type TreeStyle } from './objects';
import { Road, type SceneKind } from './road';
import { addHighwayFurniture, addTraffic, lineCountry, lineStreet } from './roadside';

/** Colours and light of a scene; colours are display values 0..1 before exposure. */
export interface Look {
  zenith: Colour;
  horizon: Colour;
  clouds: number;
  /** Unit vector to the sun, world axes (y down). */
  sun: [number, number, number];
  glare: number;
  haze: Colour;
  /** Metres at which haze takes 63 %. */
  visibility: number;
  /** Distant hills: height in radians, colour. */
  ridge: number;
  ridgeColour: Colour;
  asphalt: Colour;
  asphaltContrast: number;
  /** Concrete slabs: joint spacing in metres, 0 for none. */
  joints: number;
  dirt: Colour;
  grass: Colour;
  rock: Colour;
  /** Dappled shadow on the ground: how dark 0..1, texels per metre, share in shadow. */
  dapple: number;
  dappleScale: number;
  dappleCover: number;
  seed: number;
}

export interface Scene {
  kind: SceneKind;
  road: Road;
  mesh: Mesh;
  look: Look;
  /** Our lane, metres right of the centre line, and speed, metres per frame. */
  lane: number;
  speed: number;
}

const KINDS: [SceneKind, number][] = [
  ['mountain', 0.36],
  ['highway', 0.24],
  ['city', 0.22],
  ['rural', 0.18],
];

function mix(a: Colour, b: Colour, share: number): Colour {
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])];
}

/** @param shaded a road under trees: little light reaches it, in patches */
function randomLook(
  random: Random,
  kind: SceneKind,
  shaded: boolean,
): { look: Look; ambient: number; sunStrength: number } {
  const overcast = random.chance(0.3);
  const azimuth = random.between(-Math.PI, Math.PI);
  const elevation = random.between(0.15, 1.2);
  const sun: [number, number, number] = [
    Math.cos(elevation) * Math.sin(azimuth),
    -Math.sin(elevation),
    Math.cos(elevation) * Math.cos(azimuth),
  ];
  const horizon: Colour = overcast
    ? scaled([0.82, 0.84, 0.87], random.between(0.7, 1.15))
    : mix([0.62, 0.76, 0.9], [0.95, 0.9, 0.82], random.uniform() ** 2);
  const zenith: Colour = overcast
    ? scaled(horizon, random.between(0.7, 1))
    : mix([0.18, 0.36, 0.66], [0.45, 0.6, 0.8], random.uniform());
  const dry = random.uniform();
  const grass = mix(mix([0.16, 0.24, 0.07], [0.32, 0.4, 0.15], random.uniform()), [0.66, 0.54, 0.34], dry);
  const dirt = mix([0.42, 0.34, 0.25], [0.6, 0.52, 0.42], random.uniform());
  const concrete = kind === 'highway' && random.chance(0.35);
  const tone = concrete ? random.between(0.5, 0.72) : random.between(0.16, 0.5);
  const asphalt = [tone * random.between(0.96, 1.06), tone, tone * random.between(0.94, 1.08)] as Colour;
  const dappled = shaded || (!overcast && random.chance(0.5));
  return {
    ambient: overcast ? random.between(0.75, 1.05) : shaded ? random.between(0.15, 0.45) : random.between(0.35, 0.65),
    sunStrength: overcast ? random.between(0, 0.12) : shaded ? random.between(0.1, 0.4) : random.between(0.5, 0.95),
    look: {
      zenith,
      horizon,
      clouds: overcast ? random.between(0.4, 1) : random.chance(0.5) ? 0 : random.between(0.2, 0.8),
      sun,
      glare: overcast ? 0.1 : random.uniform(),
      haze: mix(horizon, [0.7, 0.74, 0.8], 0.5),
      visibility: Math.exp(random.between(Math.log(180), Math.log(2500))),
      ridge: random.chance(0.55) ? random.between(0.005, 0.14) : 0,
      ridgeColour: mix([0.14, 0.19, 0.12], [0.4, 0.44, 0.5], random.uniform()),
      asphalt,
      asphaltContrast: random.between(0.3, 1.3),
      joints: concrete ? random.between(4, 7) : 0,
      dirt,
      grass,
      rock: mix([0.34, 0.28, 0.22], [0.58, 0.54, 0.49], random.uniform()),
      dapple: dappled && !overcast ? random.between(0.4, 0.9) : overcast ? 0 : random.between(0, 0.3),
      dappleScale: random.between(1.5, 9),
      dappleCover: shaded ? random.between(0.45, 0.85) : random.between(0.1, 0.5),
      seed: random.between(0, 1000),
    },
  };
}

export function buildScene(random: Random): Scene {
  let pick = random.uniform();
  const kind = (KINDS.find(([, share]) => (pick -= share) < 0) ?? KINDS[0])[0];
  const shaded = kind === 'mountain' ? random.chance(0.6) : kind === 'rural' && random.chance(0.2);
  const { look, ambient, sunStrength } = randomLook(random, kind, shaded);
  const road = new Road(kind, random);
  const mesh = new Mesh({ sun: look.sun, sunStrength, ambient });
  road.addGround(mesh, look.seed);

  const lane = road.ownLanes[random.integer(road.ownLanes.length)] + random.between(-0.4, 0.4);
  const speed = random.chance(0.03) ? 0 : kind === 'city' ? random.between(0.2, 1.2) : random.between(0.3, 2.5);
  const style: TreeStyle = {
    leaf: mix(mix([0.13, 0.2, 0.06], [0.3, 0.38, 0.12], random.uniform()), [0.42, 0.34, 0.14], random.uniform() ** 3),
    bark: mix([0.16, 0.12, 0.09], [0.42, 0.38, 0.33], random.uniform()),
    low: shaded ? random.between(0.12, 0.4) : random.between(0.4, 0.8),
    high: shaded ? random.between(0.4, 1.2) : random.between(0.9, 1.6),
  };
  for (const side of [-1, 1]) {
    if (kind === 'city') lineStreet(mesh, random, road, side, style);
    else lineCountry(mesh, random, road, side, style, shaded);
  }
  if (kind === 'highway') addHighwayFurniture(mesh, random, road, style);
  addTraffic(mesh, random, road, lane, speed);
  return { kind, road, mesh, look, lane, speed };
}
