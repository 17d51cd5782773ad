import { isRectifiedTopic, siblingCameraInfo } from '../../src/media/cameraTopics';

test.each([
  ['/front/image_raw', '/front/camera_info', false],
  ['/front/image_raw/compressed', '/front/camera_info', false],
  ['/front/image_rect', '/front/camera_info', true],
  ['/front/image_rect_color/ffmpeg', '/front/camera_info', true],
  ['/image_rect/raw', '/image_rect/camera_info', false],
  ['/image', '/camera_info', false],
  ['/compressed', '/camera_info', false],
  ['image', 'camera_info', false],
])('%s: its camera_info is %s, rectified: %s', (topic, cameraInfo, rectified) => {
  expect(siblingCameraInfo(topic)).toBe(cameraInfo);
  expect(isRectifiedTopic(topic)).toBe(rectified);
});
