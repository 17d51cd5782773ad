/** dashboard_node and depth_node both on a camera's compressed images, which rclpy publishes. */
import sharp from 'sharp';
import { DashboardRig, DEPTH, eventually, ViewClient } from '../support/dashboard';
import { HEIGHT, IMAGE, INFO, WIDTH } from '../support/depthNode';
import { PATIENCE } from '../support/ros';

const COMPRESSED = `${IMAGE}/compressed`;
const TRANSPORT = ['-p', 'image_transport:=compressed'];
const COLOUR = { r: 200, g: 60, b: 20 };

const rig = new DashboardRig();
afterAll(() => rig.stop());

test(
  'shows the camera where only compressed images come, of one instant with the maps',
  async () => {
    const topics = [`${COMPRESSED}=CompressedImage:pub`, `${INFO}=CameraInfo:pub`, `${DEPTH}=Image:sub`];
    await rig.startDashboard(topics, ['-p', 'picture_width:=128', ...TRANSPORT], TRANSPORT);
    const client = new ViewClient(rig.url);
    await client.opened;
    client.say({ want: ['camera', 'depth'] });

    const size = { width: 4 * WIDTH, height: 4 * HEIGHT };
    const picture = sharp({ create: { ...size, channels: 3, background: COLOUR } });
    const data = (await picture.jpeg().toBuffer()).toString('base64');
    const stamps = (view: string): string[] => client.of(view).map(({ header: { stamp } }) => JSON.stringify(stamp));
    const shared = (): string[] => stamps('camera').filter((stamp) => stamps('depth').includes(stamp));
    await eventually(
      async () => {
        rig.seconds++;
        await rig.peer.command('compressed_image', {
          topic: COMPRESSED,
          frameId: 'front_optical',
          format: 'rgb8; jpeg compressed bgr8',
          data,
          stamp: [rig.seconds, 0],
        });
        await new Promise((resolve) => setTimeout(resolve, 100)); // or the next one overtakes it
        return shared().length >= 3;
      },
      () => `camera ${stamps('camera').join()}; depth ${stamps('depth').join()}; ${rig.dashboard.output}`,
    );
    const { header, payload } = client.of('camera').at(-1)!;
    expect(header).toMatchObject({ ...size, rows: size.height, frameId: 'front_optical' });
    expect(header.encoding).toBe('rgb8; jpeg compressed bgr8');
    expect(await sharp(payload).metadata()).toMatchObject({ format: 'jpeg', width: 128, height: 85 });
    const { channels } = await sharp(payload).stats();
    [COLOUR.r, COLOUR.g, COLOUR.b].forEach((value, c) => expect(Math.abs(channels[c].mean - value)).toBeLessThan(4));
    expect(client.states.at(-1)!.topics).toMatchObject({ camera: { topic: COMPRESSED, publishers: 1 } });

    // What cannot be decoded is named, and the camera goes on.
    const shownBefore = client.of('camera').length;
    const damaged = { topic: COMPRESSED, frameId: '', format: 'jpeg', data: data.slice(0, 40) };
    await rig.peer.command('compressed_image', { ...damaged, stamp: [++rig.seconds, 0] });
    await rig.dashboard.logged(/\/front\/image_raw\/compressed: not shown: data of format "jpeg" cannot be decoded/);
    await rig.peer.command('compressed_image', { ...damaged, data, stamp: [++rig.seconds, 0] });
    await eventually(
      () => client.of('camera').length > shownBefore,
      () => rig.dashboard.output,
    );
    client.close();
  },
  120_000 * PATIENCE,
);
