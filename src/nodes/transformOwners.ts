/** Whether somebody else says where the frame is that this node broadcasts: a frame has one parent, and odom -> base one owner (REP 105). */
import type { Header, Time } from './ros/cdr';
import type { Transform } from './ros/transforms';

/** Own messages on /tf come back within so many. */
const REMEMBERED = 100;
/** Somebody else on /tf who has been silent for so long is gone. */
const GONE_MS = 5000;

const nameOf = ({ sec, nanosec }: Time): string => `${sec}.${nanosec}`;

export class TransformOwners {
  #own: { readonly parent: string; readonly child: string; readonly stamps: string[] } | undefined;
  #other: { readonly parent: string; readonly isStatic: boolean; readonly seenMs: number } | undefined;
  /** Parents on /tf_static, which come before the first own message. */
  readonly #static = new Map<string, string>();

  /** Just before it goes out. */
  sent({ frameId, stamp }: Header, child: string): void {
    if (this.#own?.child !== child || this.#own.parent !== frameId) {
      this.#own = { parent: frameId, child, stamps: [] };
      const parent = this.#static.get(child);
      this.#other = parent === undefined ? undefined : { parent, isStatic: true, seenMs: Infinity };
    }
    const { stamps } = this.#own;
    stamps.push(nameOf(stamp));
    if (stamps.length > REMEMBERED) stamps.shift();
  }

  heard({ header, child }: Transform, isStatic: boolean): void {
    if (isStatic && (this.#static.has(child) || this.#static.size < 10_000)) this.#static.set(child, header.frameId);
    const own = this.#own;
    if (!own || child !== own.child) return;
    const at = header.frameId === own.parent ? own.stamps.indexOf(nameOf(header.stamp)) : -1;
    if (!isStatic && at >= 0) {
      own.stamps.splice(at, 1); // each comes back once: whoever stamps by the same images is somebody else
      return;
    }
    this.#other = { parent: header.frameId, isStatic, seenMs: isStatic ? Infinity : performance.now() };
  }

  /** Empty where this node is the only one. */
  get fault(): string {
    if (!this.#own || !this.#other || performance.now() - this.#other.seenMs > GONE_MS) return '';
    const { parent, isStatic } = this.#other;
    const topic = isStatic ? '/tf_static' : '/tf';
    return `another node publishes ${parent} -> ${this.#own.child} on ${topic}: a frame has one owner; set publish_tf to false here, or stop the other`;
  }
}
