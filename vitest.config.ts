import { defineConfig } from 'vitest/config';

// Processes that tests start from src inherit these flags: plain node then runs TypeScript.
const execArgv = ['--import', new URL('./test/hooks/typescript.mjs', import.meta.url).href];
// Two files at a time with one native thread each: OpenMP threads that share cores with other work wait for each other.
const common = { pool: 'forks', maxWorkers: 2, execArgv, setupFiles: ['test/setup-temporary-folder.ts'] };

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'unit', env: { MOABENCH_THREADS: '1' }, include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] } },
      // Whole runs of the command line and a browser: minutes on a loaded machine, so the limit only ends hangs.
      { test: { ...common, name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
  },
});
