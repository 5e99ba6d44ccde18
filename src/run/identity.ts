import { readFileSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { sha256, sha256File } from '../core/hash.ts';
import type { TemplateFacts } from '../model/format/template/chat-template.ts';
import { modelIdentity } from '../model/identity.ts';
import { addonPath } from '../native/addon.ts';
import { cudaLibraryPath } from '../native/cuda.ts';
import { threadVariables } from '../records/environment.ts';
import { expandCells, isQuality, type QualityCell } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import { type Computation, codeIdentity, type Parts } from './code-identity.ts';
import { flatParts } from './parts.ts';
import { sampleSource } from './sample-source.ts';

/** What runs the cells, known without loading the model: each kind of input by its parts. */
export interface Identity {
  readonly model: Parts;
  readonly native: Parts;
  /** Of timings only: the device with its driver and threads, the processor, variables that set threads. */
  readonly device: Parts;
  readonly code: Readonly<Record<Computation, Parts>>;
  /** The data file that a cell's samples are read from; nothing for generated ones. */
  data(cell: QualityCell): Parts;
}

export interface IdentityInput {
  readonly suite: Suite;
  readonly suiteFolder: string;
  readonly weightsHash: string;
  /** What the chat template is and was told; null where the model has none. */
  readonly template: TemplateFacts | null;
  /** The backend's description. */
  readonly device: string;
}

/** Reads and hashes everything that decides the numbers of a suite. Errors: NOT_FOUND or IO naming the file; a data file that cannot be read is left to the cell that needs it. */
export async function captureIdentity({ suite, suiteFolder, weightsHash, template, device }: IdentityInput): Promise<Identity> {
  const data = await dataHashes(suite, suiteFolder);
  return {
    model: { ...modelIdentity(suite.model.path, weightsHash), ...templateParts(template) },
    native: nativeParts(suite, device),
    device: { device, processor: cpus()[0]?.model.trim() ?? 'unknown', ...threadVariables() },
    code: {
      plan: codeIdentity('plan'),
      quality: codeIdentity('quality'),
      samples: codeIdentity('samples'),
      timing: codeIdentity('timing'),
    },
    data: (cell) => {
      const path = dataFile(cell, suite, suiteFolder);
      return path === null ? {} : { 'data file': data.get(path) ?? 'missing' };
    },
  };
}

/** The date counts only where the template asks for one. */
function templateParts(template: TemplateFacts | null): Parts {
  if (template === null) return {};
  const { hash, date, variables } = template;
  return { 'chat template': hash, ...flatParts({ 'template date': date, 'template variables': variables }) };
}

/** The libraries that compute. A GPU chooses its kernels, so its name is part of every number there. */
function nativeParts({ backend }: Suite, device: string): Parts {
  const library = { 'native library': sha256(readFileSync(addonPath())) };
  if (backend.name !== 'cuda') return library;
  return { ...library, 'CUDA library': sha256(readFileSync(cudaLibraryPath())), device };
}

/** The file that a cell's samples are read from; null for generated ones, and where the suite has none. */
export function dataFile(cell: QualityCell, suite: Suite, suiteFolder: string): string | null {
  try {
    return sampleSource(cell, suite, suiteFolder).file?.path ?? null;
  } catch {
    return null; // told when the data is checked
  }
}

/** Of the files that are there, by absolute path. */
async function dataHashes(suite: Suite, suiteFolder: string): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const cell of expandCells(suite)) {
    const path = isQuality(cell) ? dataFile(cell, suite, suiteFolder) : null;
    if (path === null) continue;
    if (!hashes.has(path) && statSync(path, { throwIfNoEntry: false })?.isFile() === true) hashes.set(path, await sha256File(path));
  }
  return hashes;
}
