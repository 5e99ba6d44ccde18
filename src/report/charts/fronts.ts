import type { RecordOf } from '../../records/record.ts';
import { countText } from '../../summary/phrases.ts';
import { type Chart, frame, type MethodStyle, tooltip } from '../chart.ts';
import { HEAT } from '../theme.ts';

/** The chart of one method's Pareto front: the plans that trade loss at one length for loss at another. Empty for fewer than two plans. */
export function frontChart(front: RecordOf<'front'>, { id, label }: MethodStyle): Chart[] {
  const lengths = Object.keys(front.points[0]?.losses ?? {})
    .map(Number)
    .sort((a, b) => a - b);
  const [first, last] = [lengths[0], lengths.at(-1)];
  if (first === undefined || last === undefined || front.points.length < 2) return [];
  const single = first === last;
  const rows = front.points.map((point) => ({
    plan: point.planHash.slice(0, 8),
    x: point.losses[String(first)] ?? null,
    y: single ? point.validationLoss : (point.losses[String(last)] ?? null),
    validation: point.validationLoss,
    gap: point.gap,
    chosen: point.chosen ? 'chosen' : '',
  }));
  const alt = `Scatter plot of the ${rows.length} Pareto plans of ${label}: predicted loss at ${first} against ${single ? 'validation loss' : `predicted loss at ${last}`} tokens; the chosen plan is ringed.`;
  return [
    {
      id: `front-${id}`,
      section: 'fronts',
      method: label,
      title: label,
      caption: `${rows.length} Pareto plans by the losses that the profiles predict; colour is the loss at the unseen validation length, the ring marks the plan that was chosen`,
      alt,
      size: 'small',
      rows,
      spec: (theme) => {
        const x = {
          field: 'x',
          type: 'quantitative',
          title: `Loss at ${countText(first)} tokens`,
          scale: { zero: false, padding: 12 },
          axis: { tickCount: 4 },
        };
        const y = {
          field: 'y',
          type: 'quantitative',
          title: single ? 'Validation loss (nats per token)' : `Loss at ${countText(last)} tokens`,
          scale: { zero: false, padding: 12 },
          axis: { tickCount: 4 },
        };
        const fields = tooltip(
          ['plan', 'Plan'],
          ['x', `Loss at ${first}`, '.4f'],
          ['y', single ? 'Validation' : `Loss at ${last}`, '.4f'],
          ['validation', 'Validation loss', '.4f'],
          ['gap', 'Solver gap', '.2%'],
          ['chosen', ''],
        );
        const color = {
          field: 'validation',
          type: 'quantitative',
          scale: { range: [...HEAT].reverse() },
          legend: { title: 'Validation loss (nats per token)', orient: 'top', gradientLength: 120, gradientThickness: 8, tickCount: 3 },
        };
        return frame({
          theme,
          alt,
          width: 280,
          height: 220,
          rows,
          styles: [],
          layer: [
            { mark: { type: 'line', color: theme.muted, strokeWidth: 1, opacity: 0.5 }, encoding: { x, y, order: { field: 'x' } } },
            {
              mark: { type: 'point', filled: true, size: 70, opacity: 1, stroke: theme.muted, strokeWidth: 0.5 },
              encoding: { x, y, color, tooltip: fields },
            },
            {
              transform: [{ filter: "datum.chosen === 'chosen'" }],
              mark: { type: 'point', filled: false, size: 200, color: theme.ink, strokeWidth: 2 },
              encoding: { x, y },
            },
          ],
        });
      },
    },
  ];
}
