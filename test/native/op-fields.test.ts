// An op's fields are written in ops.h; here: the two places that must have the same (python/moabench_peers/kernels/abi.py reads them from ops.h).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*/g, '');
const read = (path: string): string => withoutComments(readFileSync(path, 'utf8'));
const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The fields of the params structs, in JavaScript's spelling. */
const structs = new Map(
  [...read('native/include/moa/ops.h').matchAll(/struct (\w+Params) \{([^}]*)\};/g)].map(([, name, body]) => {
    const statements = (body ?? '').split(';').map((statement) => statement.trim());
    const names = statements.filter(Boolean).flatMap((statement) => statement.replace(/^\S+\s+/, '').split(','));
    return [name ?? '', names.map((field) => camelCase((field.split('=')[0] ?? '').trim())).sort()] as const;
  }),
);

const interfaces = new Map(
  [...read('src/native/backend.ts').matchAll(/export interface (\w+Params) \{([^}]*)\}/g)].map(([, name, body]) => {
    return [name ?? '', [...(body ?? '').matchAll(/readonly (\w+)\??:/g)].map(([, field]) => field).sort()] as const;
  }),
);

/** What each reader of params sets, as [field of the struct, name in JavaScript]. */
const readers = [...read('native/binding/op_params.cc').matchAll(/^(\w+Params) (read_\w+)\(ParamsReader& reader\) \{([^}]*)\}/gm)].map(
  ([, params, reader, body]) => {
    const set = [...(body ?? '').matchAll(/p\.(\w+) =\s*reader\.\w+\("(\w+)"/g)].map(
      ([, field, name]) => [field ?? '', name ?? ''] as const,
    );
    return { params: params ?? '', reader: reader ?? '', delegates: /return read_\w+\(reader\)/.test(body ?? ''), set };
  },
);

test('backend.ts has an interface for each struct of ops.h', () => {
  expect([...interfaces.keys()].sort()).toEqual([...structs.keys()].sort());
});

test.each([...structs])('%s has the same fields in backend.ts', (name, fields) => {
  expect(interfaces.get(name)).toEqual(fields);
});

describe('op_params.cc', () => {
  test('has a reader for each struct of ops.h', () => {
    expect([...new Set(readers.map(({ params }) => params))].sort()).toEqual([...structs.keys()].sort());
  });

  test.each(readers.filter(({ delegates }) => !delegates))(
    '$reader sets every field of $params, each from its own name',
    ({ params, set }) => {
      expect(set.map(([, name]) => name).sort()).toEqual(structs.get(params));
      expect(set.filter(([field, name]) => camelCase(field) !== name)).toEqual([]);
    },
  );
});
