/** Whether a figure is what was asked for, as the tables say it. */
export function verdict(reached: boolean): string {
  return reached ? 'reached' : '**not reached**';
}
