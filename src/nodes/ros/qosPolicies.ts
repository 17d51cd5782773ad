/** rmw's numbers (rmw/types.h), as rclnodejs takes and gives them. */
export const KEEP_LAST = 1;
export const RELIABLE = 1;
export const BEST_EFFORT = 2;
export const TRANSIENT_LOCAL = 1;
export const VOLATILE = 2;
