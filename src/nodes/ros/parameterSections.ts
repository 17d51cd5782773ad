/** Whether a section of a parameter file is for the node: `*` stands for one part of its name, `**` for any number (rcl's rules). */
export function isSectionOf(section: string, fullName: string): boolean {
  const pattern = section
    .replace(/^(?!\/)/, '/')
    .replace(/\/\*\*?/g, (star) => (star === '/*' ? '(/\\w+)' : '(/\\w+)*'));
  return new RegExp(`^${pattern}$`).test(fullName);
}
