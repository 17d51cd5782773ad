import { isEnding } from './endOnSignal';
import { nativeAddon, rclnodejs, robust, type RosNode } from './rclnodejs';
import { oneLine } from './throttledLog';

interface Named {
  readonly id: number;
  readonly label: string;
}

/** What rclnodejs's LifecycleNode has besides. */
interface StateMachine {
  readonly _stateMachineHandle: object;
  readonly currentState: Named;
  readonly availableTransitions: readonly { readonly transition: Named }[];
}

interface ChangeStateRequest {
  readonly transition: Named;
}

interface Response {
  send(response: object): void;
}

const Base = robust(rclnodejs.lifecycle.LifecycleNode) as new (name: string) => RosNode & StateMachine;

/**
 * A node with ROS 2's lifecycle whose transitions may take their time. rclnodejs 2.2.0 has its callbacks synchronous, answers that a failed transition went
 * well where onError did, and ends the process where somebody asks for a transition that is not possible. Here ~/change_state is answered when the
 * transition is over, one is in work at a time, and the others wait for their turn; ~/get_state tells what goes on meanwhile.
 *
 * A transition that throws goes through `onError`, and from there to unconfigured; to finalized where onError throws too.
 */
export abstract class LifecycleNode extends Base {
  #turn: Promise<unknown> = Promise.resolve();

  protected abstract onConfigure(): void | Promise<void>;
  protected abstract onActivate(): void | Promise<void>;
  protected abstract onDeactivate(): void | Promise<void>;
  protected abstract onCleanup(): void | Promise<void>;
  protected abstract onShutdown(): void | Promise<void>;
  /** Frees everything, whatever the error left. */
  protected abstract onError(error: Error): void | Promise<void>;

  /** unconfigured, inactive, active, finalized; or what is in work: configuring, ... */
  get state(): string {
    return this.currentState.label;
  }

  /** As ~/change_state. Returns whether the transition was possible and went well; never rejects. */
  change(label: string): Promise<boolean> {
    return this.#inTurn(() => this.#change((transition) => transition.label === label, label));
  }

  /** An error beside all transitions ends the active state by way of onError. */
  raise(error: Error): Promise<void> {
    return this.#inTurn(async () => {
      if (this.state !== 'active' || isEnding()) return;
      this.#trigger('deactivate');
      await this.#recover(error);
    });
  }

  /** rclnodejs calls this for every request of ~/change_state. */
  protected async _onChangeState({ transition: { id, label } }: ChangeStateRequest, response: Response): Promise<void> {
    const isWanted = (one: Named): boolean => (label === '' ? one.id === id : one.label === label);
    const success = await this.#inTurn(() => this.#change(isWanted, label || `${id}`));
    if (!isEnding()) response.send({ success });
  }

  async #change(isWanted: (transition: Named) => boolean, wanted: string): Promise<boolean> {
    if (isEnding()) return false;
    const transition = this.availableTransitions.map((one) => one.transition).find(isWanted);
    if (!transition) {
      this.getLogger().warn(oneLine(`state change refused: there is no transition "${wanted}" from ${this.state}`));
      return false;
    }
    nativeAddon().triggerLifecycleTransitionById(this._stateMachineHandle, transition.id);
    try {
      await this.#work(transition.label);
      this.#trigger('transition_success');
      return true;
    } catch (error) {
      await this.#recover(error as Error);
      return false;
    }
  }

  #work(label: string): void | Promise<void> {
    if (label === 'configure') return this.onConfigure();
    if (label === 'activate') return this.onActivate();
    if (label === 'deactivate') return this.onDeactivate();
    return label === 'cleanup' ? this.onCleanup() : this.onShutdown();
  }

  async #recover(error: Error): Promise<void> {
    this.#trigger('transition_error');
    try {
      await this.onError(error);
      this.#trigger('transition_success');
    } catch (second) {
      this.getLogger().error(oneLine(`finalized, for the error could not be cleaned up: ${(second as Error).message}`));
      this.#trigger('transition_failure');
    }
  }

  #trigger(label: string): void {
    if (isEnding()) return; // the state machine may be gone
    nativeAddon().triggerLifecycleTransitionByLabel(this._stateMachineHandle, label);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
