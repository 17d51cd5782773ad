/**
 * A lifecycle node whose transitions fail as its parameter `throws` says, for test/ros/lifecycleNode.test.ts: names of what throws, such as
 * `deactivate` or `activate error`; with `later` among them it rejects instead. `~/raise` is an error beside all transitions.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { end, onEnd } from '../../src/nodes/ros/endOnSignal';
import { LifecycleNode } from '../../src/nodes/ros/lifecycleNode';
import { declareParameters, stringParameter } from '../../src/nodes/ros/parameters';
import { rclnodejs } from '../../src/nodes/ros/rclnodejs';

class FailingNode extends LifecycleNode {
  constructor(name: string) {
    super(name);
    declareParameters(this, { throws: { value: '', text: 'What throws.', live: true } });
    this.createService('std_srvs/srv/Trigger', '~/raise', async () => {
      await this.raise(new Error('its thread died'));
      return { success: true, message: this.state };
    });
  }

  protected override onConfigure(): void | Promise<void> {
    return this.#pass('configure');
  }

  protected override onActivate(): void | Promise<void> {
    return this.#pass('activate');
  }

  protected override onDeactivate(): void | Promise<void> {
    return this.#pass('deactivate');
  }

  protected override onCleanup(): void | Promise<void> {
    return this.#pass('cleanup');
  }

  protected override onShutdown(): void | Promise<void> {
    return this.#pass('shutdown');
  }

  protected override onError(error: Error): void | Promise<void> {
    this.getLogger().info(`onError got: ${error.message}`);
    return this.#pass('error');
  }

  #pass(name: string): void | Promise<void> {
    const throws = stringParameter(this, 'throws').split(' ');
    const error = throws.includes(name) ? new Error(`${name} went wrong`) : undefined;
    if (throws.includes('later'))
      return sleep(20).then(() => {
        if (error) throw error;
      });
    if (error) throw error;
  }
}

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  new FailingNode('failing_node').spin();
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  void end(1);
});
