/** Cost rules by model (`ai_models_costs`). */
import type { ModelCosts } from '../../../actors/credits/credits-for.ts';
import type { SystemSql } from '../connection/system.ts';

export function createModelCosts(sql: SystemSql): ModelCosts {
  return {
    read: async () => {
      const rows = await sql<{ model: string; input: number; output: number; minimum: number }[]>`
        select model, credits_per_1k_input::float8 as input, credits_per_1k_output::float8 as output,
          minimum_credits as minimum
        from ai_models_costs`;
      return new Map(
        rows.map(({ model, input, output, minimum }) => [
          model,
          { creditsPer1kInput: input, creditsPer1kOutput: output, minimumCredits: minimum },
        ]),
      );
    },
  };
}
