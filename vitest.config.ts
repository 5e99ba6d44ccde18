import { defineConfig } from 'vitest/config';

// Native ops use every core themselves; two files at a time keep a 2-core machine honest.
const common = { pool: 'forks', maxWorkers: 2 } as const;

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] } },
      // Whole runs of the command line and a browser: minutes on a loaded machine, so the limit only ends hangs.
      { test: { ...common, name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
  },
});
