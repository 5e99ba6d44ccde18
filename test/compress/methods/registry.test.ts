import { expect, test } from 'vitest';
import { compress, compressKey } from '../../../src/compress/methods/registry.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { methodContext, optionsOf, suiteWith } from './method-context.ts';

const cpu = cpuBackend();
const suite = suiteWith([
  { id: 'dense', method: 'dense' },
  { id: 'half', method: 'streaming', density: 0.5 },
]);

test('each method of a suite is made by the method of that name, whose name is in its key', async () => {
  const context = await methodContext(cpu, suite);
  for (const method of ['dense', 'streaming'] as const) {
    const options = optionsOf(suite, method);
    expect((await compress(options, context)).plan).toMatchObject({ method, name: options.id });
    expect(compressKey(options, suite, '.')).toMatchObject({ method });
  }
  context.model.dispose();
});
