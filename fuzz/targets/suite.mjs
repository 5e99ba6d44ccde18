// A suite: what is accepted expands into cells.
import { expandCells } from '../../dist/suite/cells.js';
import { parseSuite } from '../../dist/suite/load.js';
import { orRefused } from './only-moa-errors.mjs';

/** Bytes of a YAML file. */
export function fuzz(data) {
  return orRefused(() => expandCells(parseSuite(Buffer.from(data).toString('utf8'), 'suite.yaml')));
}
