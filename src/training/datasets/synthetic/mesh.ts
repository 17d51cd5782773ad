/** The synthetic world's surfaces: quads with a procedural material, anchored in world (or moving-object) coordinates. */

/** World axes are those of the first optical frame's road: x right, y down, z forward, metres. */
export enum Material {
  Sky,
  /** u = metres right of the road's centre line, v = metres along it; p0 = steepness 0..1. */
  Ground,
  /** u along, v across, metres. p0 = tile length. */
  Pavement,
  Concrete,
  /** u along, v height above ground, metres; p0 = floor height, p1 = window pitch, p2 = window share. */
  Facade,
  /** u, v in 0..1 over the panel. */
  Paint,
  Glass,
  Plain,
  /** Ragged blob, alpha-tested: u, v in -1..1; p0 = texels per unit, p1 = density. */
  Foliage,
  /** Ragged-topped strip, alpha-tested: u along, v height in metres; p0 = height, p1 = texels per metre. */
  Curtain,
  Bark,
  /** Disc in -1..1, alpha-tested. */
  Disc,
  /** u, v in metres; p0 = period of the posts, p1 = share that is solid; alpha-tested. */
  Fence,
  /** u, v in 0..1: border and text-like marks. */
  Sign,
  Lamp,
  /** Dithered dark decal, u, v in -1..1. */
  Shadow,
}

/** What a surface belongs to. The order is the class index in label maps. */
export enum SceneClass {
  Sky,
  Road,
  /** Verge, soil, grass, rock. */
  Terrain,
  Sidewalk,
  Building,
  Vegetation,
  Vehicle,
  Person,
  /** Poles, signs, barriers, fences, walls, bridges. */
  Structure,
}

/** The class of surfaces that do not say theirs. */
const CLASS_OF_MATERIAL: Readonly<Record<Material, SceneClass>> = {
  [Material.Sky]: SceneClass.Sky,
  [Material.Ground]: SceneClass.Terrain,
  [Material.Pavement]: SceneClass.Sidewalk,
  [Material.Concrete]: SceneClass.Structure,
  [Material.Facade]: SceneClass.Building,
  [Material.Paint]: SceneClass.Vehicle,
  [Material.Glass]: SceneClass.Vehicle,
  [Material.Plain]: SceneClass.Structure,
  [Material.Foliage]: SceneClass.Vegetation,
  [Material.Curtain]: SceneClass.Vegetation,
  [Material.Bark]: SceneClass.Vegetation,
  [Material.Disc]: SceneClass.Vehicle,
  [Material.Fence]: SceneClass.Structure,
  [Material.Sign]: SceneClass.Structure,
  [Material.Lamp]: SceneClass.Vehicle,
  [Material.Shadow]: SceneClass.Road,
};

export interface Surface {
  material: Material;
  colour: readonly [number, number, number];
  p0?: number;
  p1?: number;
  p2?: number;
  /** Do not apply sun and sky light to the colour. */
  unlit?: boolean;
  /** What it belongs to, where its material alone does not tell. */
  partOf?: SceneClass;
}

export interface Light {
  /** Unit vector to the sun. */
  sun: readonly [number, number, number];
  sunStrength: number;
  ambient: number;
}

/** Values stored per quad in `shading`. */
export const SHADING_STRIDE = 9;

export class Mesh {
  /** 12 numbers per quad. */
  positions = new Float32Array(12 * 8192);
  /** Four numbers per quad: u0, v0, u1, v1 of its corners (u0,v0), (u1,v0), (u1,v1), (u0,v1). */
  textures = new Float32Array(4 * 8192);
  materials = new Uint8Array(8192);
  /** SceneClass per quad. */
  classes = new Uint8Array(8192);
  /** Lit r, g, b, p0, p1, p2, texture offsets x, y, light factor. */
  shading = new Float32Array(SHADING_STRIDE * 8192);
  /** Index into `velocities`; 0 stands still. */
  motions = new Uint8Array(8192);
  /** Metres per frame, x y z. */
  readonly velocities: number[][] = [[0, 0, 0]];
  count = 0;
  /** Motion index given to quads added from now on. */
  motion = 0;
  #surface: Surface = { material: Material.Plain, colour: [0, 0, 0] };
  #offsetX = 0;
  #offsetY = 0;
  #brightness = 1;

  constructor(readonly light: Light) {}

  /** Material of the quads added from now on; the seed moves its noise. */
  use(surface: Surface, seed: number, brightness = 1): this {
    this.#surface = surface;
    this.#offsetX = (seed * 7919) % 256;
    this.#offsetY = (seed * 104729) % 256;
    this.#brightness = brightness;
    return this;
  }

  addMotion(velocity: number[]): number {
    this.velocities.push(velocity);
    return this.velocities.length - 1;
  }

  /** A quad by its corners in order; (u0, v0) is the first corner, (u1, v1) the third. */
  quad(corners: readonly number[], u0: number, v0: number, u1: number, v1: number): void {
    if (this.count === this.materials.length) this.#grow();
    const i = this.count++;
    this.positions.set(corners, 12 * i);
    this.textures[4 * i] = u0;
    this.textures[4 * i + 1] = v0;
    this.textures[4 * i + 2] = u1;
    this.textures[4 * i + 3] = v1;
    this.materials[i] = this.#surface.material;
    this.classes[i] = this.#surface.partOf ?? CLASS_OF_MATERIAL[this.#surface.material];
    this.motions[i] = this.motion;
    const light = this.#surface.unlit ? 1 : this.#lightOn(corners);
    const s = SHADING_STRIDE * i;
    const [r, g, b] = this.#surface.colour;
    const strength = light * this.#brightness;
    this.shading[s] = r * strength;
    this.shading[s + 1] = g * strength;
    this.shading[s + 2] = b * strength;
    this.shading[s + 3] = this.#surface.p0 ?? 0;
    this.shading[s + 4] = this.#surface.p1 ?? 0;
    this.shading[s + 5] = this.#surface.p2 ?? 0;
    this.shading[s + 6] = this.#offsetX;
    this.shading[s + 7] = this.#offsetY;
    this.shading[s + 8] = strength;
  }

  /** Lambert's sun and a sky brighter from above, for the side of the quad that faces the first camera. */
  #lightOn(c: readonly number[]): number {
    const [ax, ay, az] = [c[3] - c[0], c[4] - c[1], c[5] - c[2]];
    const [bx, by, bz] = [c[9] - c[0], c[10] - c[1], c[11] - c[2]];
    let [nx, ny, nz] = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
    const towards = nx * c[0] + ny * (c[1] + 1.5) + nz * c[2] < 0 ? 1 : -1;
    const scale = towards / (Math.hypot(nx, ny, nz) || 1);
    [nx, ny, nz] = [nx * scale, ny * scale, nz * scale];
    const { sun, sunStrength, ambient } = this.light;
    const direct = Math.max(0, nx * sun[0] + ny * sun[1] + nz * sun[2]);
    return ambient * (0.8 - 0.3 * ny) + sunStrength * direct;
  }

  #grow(): void {
    const grown = <T extends Float32Array | Uint8Array>(old: T): T => {
      const next = new (old.constructor as new (n: number) => T)(old.length * 2);
      next.set(old);
      return next;
    };
    this.positions = grown(this.positions);
    this.textures = grown(this.textures);
    this.materials = grown(this.materials);
    this.classes = grown(this.classes);
    this.shading = grown(this.shading);
    this.motions = grown(this.motions);
  }
}
