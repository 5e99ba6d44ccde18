import { join } from 'node:path';
import { expect, test } from 'vitest';
import { modelPath } from '../../../src/model/format/bundled.ts';
import { checkModel, modelConfig, modelFolder, modelHash } from '../../../src/model/load.ts';

const FOLDER = join(import.meta.dirname, '../../../models/reference');

test('bundled:reference is the folder in the package, and other paths stay as they are', () => {
  expect(modelPath('bundled:reference')).toBe(FOLDER);
  expect(modelPath('models/reference')).toBe('models/reference');
});

test('whatever takes a model path takes it, with the same hash and name as the folder', async () => {
  expect(await modelHash('bundled:reference')).toBe(await modelHash(FOLDER));
  expect(modelConfig('bundled:reference')).toEqual(modelConfig(FOLDER));
  expect(modelFolder('bundled:reference')).toBe(FOLDER);
  expect((await checkModel('bundled:reference', { text: 'required' })).text.name).toBe('reference');
});

test('a name that is not bundled is refused with those that are', async () => {
  await expect(checkModel('bundled:gpt')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'Expected one of reference for bundled: but received "gpt"',
  });
});
