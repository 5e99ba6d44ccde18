// The modules of scripts/ that write and check documents, with the types that tests need; and released records to feed them.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface Release {
  readonly shown: string;
  readonly gpu?: string;
}

interface Released {
  newest(root: string, name: string, file?: string): Release;
  readRecord(release: Release, file: string): unknown;
  cudaReleases(root: string, file: string): Release[];
}

interface Papers {
  countWords(text: string): number;
  sizeProblems(sizes: { readonly words: number; readonly bytes: number }): string[];
  brokenLinks(page: string, read: (path: string) => string | null): string[];
  unknownDocuments(path: string, text: string, known: ReadonlySet<string>): string[];
}

interface Tables {
  readonly TABLES: Readonly<Record<string, (root: string) => string>>;
}

async function load<T>(file: string): Promise<T> {
  return (await import(new URL(`../../scripts/${file}`, import.meta.url).href)) as T;
}

export const released = await load<Released>('docs/released.mjs');
export const papers = await load<Papers>('check-papers.mjs');
/** Loads the built dist/, so only tests that make tables ask for it. */
export const loadTables = (): Promise<Tables> => load<Tables>('docs/tables.mjs');

/** A fresh repository root with these files under reports/: text and bytes as they are, anything else as JSON. */
export function rootWith(files: Readonly<Record<string, unknown>>): string {
  const root = mkdtempSync(join(tmpdir(), 'moabench-docs-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, 'reports', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return root;
}
