import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../../../src/model/format/config.ts';
import { PRESETS } from '../../../../src/model/format/presets.ts';
import { requireMemoryFor } from '../../../../src/model/format/weights/weight-memory.ts';
import { weightElements } from '../../../../src/model/format/weights/weights.ts';
import { modelConfig } from '../../../../src/model/load.ts';
import type { Backend, DeviceMemory } from '../../../../src/native/backend.ts';

const tiny = modelConfig('dummy:tiny');
const needed = weightElements(tiny) * 2;

function backendWith(device: Partial<DeviceMemory> | null): Pick<Backend, 'memory' | 'name'> {
  const whole = { freeBytes: 0, totalBytes: 0, poolReservedBytes: 0, poolUsedBytes: 0, ...device };
  const none = { weightsBytes: 0, kvBytes: 0, workspaceBytes: 0, peakBytes: 0 };
  return { name: 'cuda', memory: () => (device === null ? none : { ...none, device: whole }) };
}

describe('requireMemoryFor', () => {
  test('compares with what is free on a device, and with what its pool keeps', () => {
    const check = (device: Partial<DeviceMemory>) => requireMemoryFor(tiny, 'bf16', backendWith(device));
    expect(() => check({ freeBytes: needed })).not.toThrow();
    expect(() => check({ freeBytes: needed - 1 })).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY', message: expect.stringContaining('device memory for weights in bf16') }),
    );
    expect(() => check({ freeBytes: needed - 8, poolReservedBytes: 10, poolUsedBytes: 2 })).not.toThrow();
  });

  test('compares with what is free on the host', () => {
    const huge = parseModelConfig({ ...PRESETS['llama-3-8b'], num_hidden_layers: 4096 }, 'c');
    expect(() => requireMemoryFor(huge, 'f32', backendWith(null))).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY', message: expect.stringMatching(/GiB of free memory for weights in f32/) }),
    );
    expect(() => requireMemoryFor(tiny, 'f32', backendWith(null))).not.toThrow();
  });
});
