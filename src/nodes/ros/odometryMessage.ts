import { quaternionFromRotation, type Se3 } from '../../geometry/se3';
import type { CdrWriter, Header } from './cdr';

/** nav_msgs/Odometry: pose of the child in header.frameId, twist in the child's axes; covariances 6x6 row-major of x y z rotX rotY rotZ. */
export interface OdometryMessage {
  readonly header: Header;
  readonly child: string;
  readonly pose: Se3;
  readonly covariance: ArrayLike<number>;
  /** m/s, then rad/s. */
  readonly rate: ArrayLike<number>;
  readonly rateCovariance: ArrayLike<number>;
}

export function writeOdometry(cdr: CdrWriter, message: OdometryMessage): CdrWriter {
  return cdr
    .header(message.header)
    .string(message.child)
    .float64s(message.pose.translation)
    .float64s(quaternionFromRotation(message.pose.rotation))
    .float64s(message.covariance)
    .float64s(message.rate)
    .float64s(message.rateCovariance);
}
