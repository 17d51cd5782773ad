import type { Subscription } from './rclnodejs';

/** rmw's number of the event. */
const MESSAGE_LOST = 3;

interface EventBindings {
  createSubscriptionEventHandle(subscription: object, type: number): { release(): void };
  takeEvent(event: object, type: { subscription_event_type: number }): { total_count: number };
}

/**
 * Messages that the middleware says it lost on the way to a subscription: what never came, not what came and was replaced while waiting. 0 where the middleware
 * does not count. rclnodejs 2.2.0 has the binding, but exports no way to it.
 */
export class LostMessages {
  readonly #native: EventBindings;
  readonly #event: { release(): void } | undefined;

  constructor(subscription: Subscription) {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- as in rclnodejs.ts
    this.#native = (require('rclnodejs/lib/native_loader.js') as { default: EventBindings }).default;
    try {
      const { handle } = subscription as unknown as { handle: object };
      this.#event = this.#native.createSubscriptionEventHandle(handle, MESSAGE_LOST);
    } catch {
      // no such event in this middleware
    }
  }

  get count(): number {
    if (!this.#event) return 0;
    try {
      return this.#native.takeEvent(this.#event, { subscription_event_type: MESSAGE_LOST }).total_count;
    } catch {
      return 0;
    }
  }

  /** To be called before the subscription is destroyed. */
  release(): void {
    this.#event?.release();
  }
}
