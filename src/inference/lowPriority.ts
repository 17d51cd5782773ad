/**
 * Imported first by a thread that others go before. On Linux a priority is the thread's own, and cannot be raised again: nothing begun in it may outlive it.
 */
import { constants, getPriority, setPriority } from 'node:os';

setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
