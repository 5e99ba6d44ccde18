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

/** What the results of all cells depend on, one set of parts for each kind of input. It is known without loading the model. */
export interface Identity {
  readonly model: Parts;
  readonly native: Parts;
  /** What only timings depend on: the device with its driver and threads, the processor, and environment variables that set threads. */
  readonly device: Parts;
  readonly code: Readonly<Record<Computation, Parts>>;
  /** The parts of the data file from which a cell's samples are read; empty for generated samples. */
  data(cell: QualityCell): Parts;
}

export interface IdentityInput {
  readonly suite: Suite;
  readonly suiteFolder: string;
  readonly weightsHash: string;
  /** The chat template and the values that it was given; null when the model has none. */
  readonly template: TemplateFacts | null;
  /** The backend's description. */
  readonly device: string;
}

/**
 * Reads and hashes everything that decides the numbers of a suite. A data file that cannot be read is no error here: the cell that needs it fails.
 * @throws NOT_FOUND or IO, naming the file.
 */
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

/** The parts of the chat template. The date is among them only when the template asks for a date. */
function templateParts(template: TemplateFacts | null): Parts {
  if (template === null) return {};
  const { hash, date, variables } = template;
  return { 'chat template': hash, ...flatParts({ 'template date': date, 'template variables': variables }) };
}

/** The libraries that compute. On a GPU the kernels depend on the device, so the name of the device is part of every number. */
function nativeParts({ backend }: Suite, device: string): Parts {
  const library = { 'native library': sha256(readFileSync(addonPath())) };
  if (backend.name !== 'cuda') return library;
  return { ...library, 'CUDA library': sha256(readFileSync(cudaLibraryPath())), device };
}

/** Path of the file from which a cell's samples are read; null for generated samples, and when the suite names no such file. */
export function dataFile(cell: QualityCell, suite: Suite, suiteFolder: string): string | null {
  try {
    return sampleSource(cell, suite, suiteFolder).file?.path ?? null;
  } catch {
    return null; // the check of the data reports this error
  }
}

/** Hashes of the data files that exist, by absolute path. */
async function dataHashes(suite: Suite, suiteFolder: string): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const cell of expandCells(suite)) {
    const path = isQuality(cell) ? dataFile(cell, suite, suiteFolder) : null;
    if (path === null) continue;
    if (!hashes.has(path) && statSync(path, { throwIfNoEntry: false })?.isFile() === true) hashes.set(path, await sha256File(path));
  }
  return hashes;
}
