import { holm } from '../core/statistics/holm.ts';
import type { MethodSummary, Paired, Summary } from './summary.ts';

type Contrasts = Summary['contrasts'];
type Missing = Paired | null | undefined;

/**
 * The comparisons with p-values adjusted for the family that each belongs to (Holm), and the families with their numbers of comparisons. When a run has no true
 * difference, each family calls one with a chance of at most 5%. A comparison that could not be tested is in no family.
 */
export function adjustFamilies(
  methods: readonly MethodSummary[],
  contrasts: Contrasts,
  baseline: string,
): Pick<Summary, 'methods' | 'contrasts' | 'families'> {
  const adjusted = new Map<Paired, Paired>();
  const families: Summary['families'] = [];
  const family = (name: string, members: readonly Missing[]): void => {
    const tested = members.flatMap((paired) => (paired && paired.p !== null ? [{ paired, p: paired.p }] : []));
    if (tested.length === 0) return;
    families.push({ name, comparisons: tested.length });
    const pHolm = holm(tested.map(({ p }) => p));
    tested.forEach(({ paired }, i) => {
      adjusted.set(paired, { ...paired, pHolm: pHolm[i] ?? null, comparisons: tested.length });
    });
  };
  const all = (of: (method: MethodSummary) => Missing): Missing[] => methods.map(of);
  family(
    `retrieval over all lengths, each method against ${baseline}`,
    all((method) => method.retrieval?.meanToBaseline),
  );
  family(
    `retrieval at each length, each method against ${baseline}`,
    methods.flatMap((method) => (method.retrieval?.lengths ?? []).map((at) => at.toBaseline)),
  );
  family(
    'retrieval over all lengths, methods of equal memory with each other',
    contrasts.map(({ paired }) => paired),
  );
  family(
    `mean task score, each method against ${baseline}`,
    all((method) => method.scores?.meanToBaseline),
  );
  family(
    `loss of the answers, each method against ${baseline}`,
    all((method) => method.perplexity?.toBaseline),
  );
  const now = <P extends Paired | null>(paired: P): P | Paired => (paired === null ? paired : (adjusted.get(paired) ?? paired));
  return {
    methods: methods.map((method) => ({
      ...method,
      retrieval: method.retrieval && {
        ...method.retrieval,
        lengths: method.retrieval.lengths.map((at) => ({ ...at, toBaseline: now(at.toBaseline) })),
        meanToBaseline: now(method.retrieval.meanToBaseline),
      },
      scores: method.scores && { ...method.scores, meanToBaseline: now(method.scores.meanToBaseline) },
      perplexity: method.perplexity && { ...method.perplexity, toBaseline: now(method.perplexity.toBaseline) },
    })),
    contrasts: contrasts.map((contrast) => ({ ...contrast, paired: now(contrast.paired) })),
    families,
  };
}
