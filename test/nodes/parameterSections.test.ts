import { isSectionOf } from '../../src/nodes/ros/parameterSections';

test.each([
  ['depth_node', '/depth_node', true],
  ['depth_node', '/front/depth_node', false],
  ['/front/depth_node', '/front/depth_node', true],
  ['/**', '/front/depth_node', true],
  ['/**/depth_node', '/front/left/depth_node', true],
  ['/**/depth_node', '/front/other_node', false],
  ['/*/depth_node', '/front/depth_node', true],
  ['/*/depth_node', '/front/left/depth_node', false],
  ['/front/**', '/front/left/depth_node', true],
  ['/fro', '/front', false],
])('section %s for node %s: %s', (section, fullName, expected) => {
  expect(isSectionOf(section, fullName)).toBe(expected);
});
