import { rclnodejs, type RosNode } from './rclnodejs';

/** [node:][rostopic://]name:=other, as on the command line. */
const RULE = /^(?:(\w+):(?!\/\/|=))?(?:rostopic:\/\/)?([^:=]+):=/;

/** Whether a rule of the command line says where a topic is: also one that says it is where it would be without. rcl's answer, the name, tells these not apart. */
export function isRemapped(node: RosNode, topic: string): boolean {
  const expand = (name: string): string => rclnodejs.expandTopicName(name, node.name(), node.namespace());
  const own = expand(topic);
  if (node.resolveTopicName(topic) !== own) return true;
  return remapRules(process.argv).some((rule) => {
    const [, nodeName, name] = RULE.exec(rule) ?? [];
    return name !== undefined && (nodeName ?? node.name()) === node.name() && expand(name) === own;
  });
}

/** What follows -r or --remap between --ros-args and --. */
function remapRules(args: readonly string[]): string[] {
  let isRos = false;
  return args.filter((argument, i) => {
    if (argument === '--ros-args') isRos = true;
    else if (argument === '--') isRos = false;
    return isRos && (args[i - 1] === '-r' || args[i - 1] === '--remap');
  });
}
