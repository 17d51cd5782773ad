/** The depth map as points in 3D, made here from depth and its camera_info: the same points as depth_node's ~/points, without having them sent. */
import * as THREE from 'three';
import { OrbitControls } from 'three/addons/controls/OrbitControls.js';

const POINT_PIXELS = 2.5;
/** Over the camera's left shoulder, in the depth map's unit: a road scene of a car's size. */
const START = { position: [-3.8, 3.2, 5], target: [-0.4, -0.2, -12] };
const FRUSTUM_DEPTH = 1.5;
const FRUSTUM_COLOUR = 0x2dd4bf;

export class Cloud {
  #renderer;
  #scene = new THREE.Scene();
  #eye = new THREE.PerspectiveCamera(50, 1, 0.05, 2000);
  #controls;
  #geometry = new THREE.BufferGeometry();
  #frustum = new THREE.LineSegments(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ color: FRUSTUM_COLOUR }));
  #frustumKey = '';
  #isDue = false;

  /** @param {HTMLCanvasElement} canvas @throws where the browser has no WebGL */
  constructor(canvas) {
    this.#renderer = new THREE.WebGLRenderer({ canvas, antialias: false, powerPreference: 'low-power' });
    this.#renderer.outputColorSpace = THREE.LinearSRGBColorSpace; // the camera's colours as they are
    this.#renderer.setClearColor(0x05080b);
    const material = new THREE.PointsMaterial({ size: POINT_PIXELS, sizeAttenuation: false, vertexColors: true });
    const points = new THREE.Points(this.#geometry, material);
    // Bounds of what is there at the first picture would hide what comes later.
    points.frustumCulled = false;
    this.#frustum.frustumCulled = false;
    this.#scene.add(points, this.#frustum);
    this.#controls = new OrbitControls(this.#eye, canvas);
    this.#controls.addEventListener('change', () => this.#render());
    this.reset();
    new ResizeObserver(() => this.#render()).observe(canvas.parentElement);
  }

  /** Back to the look over the camera's shoulder. */
  reset() {
    this.#eye.position.set(...START.position);
    this.#controls.target.set(...START.target);
    this.#controls.update();
    this.#render();
  }

  /**
   * @param {{ depth: Float32Array, width: number, height: number, k: number[] }} map depth along Z
   * @param {(pixel: number) => number} colourOf 0xaabbggrr of a pixel of the map
   * @returns {{ points: number, positions: Float32Array, colours: Uint8Array }} x right, y up, z towards the viewer; rgb
   */
  show({ depth, width, height, k }, colourOf) {
    const [fx, , cx, , fy, cy] = k;
    this.#reserve(depth.length);
    const positions = this.#geometry.attributes.position.array;
    const colours = this.#geometry.attributes.color.array;
    let points = 0;
    for (let v = 0; v < height; v++) {
      const rayY = (v - cy) / fy;
      for (let u = 0; u < width; u++) {
        const i = v * width + u;
        const z = depth[i];
        if (!Number.isFinite(z)) continue;
        positions[3 * points] = (z * (u - cx)) / fx;
        positions[3 * points + 1] = -z * rayY;
        positions[3 * points + 2] = -z;
        const colour = colourOf(i);
        colours[3 * points] = colour & 255;
        colours[3 * points + 1] = (colour >> 8) & 255;
        colours[3 * points + 2] = (colour >> 16) & 255;
        points++;
      }
    }
    this.#geometry.setDrawRange(0, points);
    this.#geometry.attributes.position.needsUpdate = true;
    this.#geometry.attributes.color.needsUpdate = true;
    this.#outline(width, height, k);
    this.#render();
    return { points, positions, colours };
  }

  /** Now, so that the canvas holds its picture for whoever copies it. */
  draw() {
    const { clientWidth: width, clientHeight: height } = this.#renderer.domElement;
    if (width === 0 || height === 0) return;
    const ratio = Math.min(devicePixelRatio, 2);
    const size = this.#renderer.getSize(new THREE.Vector2());
    if (size.x !== width || size.y !== height || this.#renderer.getPixelRatio() !== ratio) {
      this.#renderer.setPixelRatio(ratio);
      this.#renderer.setSize(width, height, false);
      this.#eye.aspect = width / height;
      this.#eye.updateProjectionMatrix();
    }
    this.#renderer.render(this.#scene, this.#eye);
  }

  #render() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.draw();
    });
  }

  #reserve(points) {
    if (this.#geometry.attributes.position?.count >= points) return;
    const attribute = (array, isByte) => new THREE.BufferAttribute(array, 3, isByte).setUsage(THREE.DynamicDrawUsage);
    this.#geometry.dispose();
    this.#geometry.setAttribute('position', attribute(new Float32Array(3 * points), false));
    this.#geometry.setAttribute('color', attribute(new Uint8Array(3 * points), true));
  }

  /** The camera itself: its four edges and the picture's frame. */
  #outline(width, height, k) {
    const key = [width, height, ...k].join();
    if (key === this.#frustumKey) return;
    this.#frustumKey = key;
    const [fx, , cx, , fy, cy] = k;
    const corner = (u, v) => [(FRUSTUM_DEPTH * (u - cx)) / fx, (-FRUSTUM_DEPTH * (v - cy)) / fy, -FRUSTUM_DEPTH];
    const corners = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
    const lines = corners.flatMap((one, i) => [[0, 0, 0], one, one, corners[(i + 1) % 4]]);
    this.#frustum.geometry.setAttribute('position', new THREE.Float32BufferAttribute(lines.flat(), 3));
  }
}
