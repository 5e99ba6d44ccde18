import { z } from 'zod';
import { suiteSchema } from './schema.ts';

/** The suite schema as JSON Schema text, for completion and checks in editors: the content of suites/suite.schema.json. */
export function suiteJsonSchema(): string {
  const schema = z.toJSONSchema(suiteSchema, { io: 'input' });
  return `${JSON.stringify({ title: 'moabench suite', ...schema }, null, 2)}\n`;
}
