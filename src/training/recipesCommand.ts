/** `depthgrad recipes`. */
import type { Command } from 'commander';

export function registerRecipes(program: Command): void {
  program
    .command('recipes')
    .description('list the recipes that come with the package: paper, loss terms, data needs, measured result')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { describeRecipe, listRecipes } = await import('./recipeList.js');
      const recipes = listRecipes();
      console.log(json ? JSON.stringify(recipes, null, 2) : recipes.map(describeRecipe).join('\n\n'));
    });
}
