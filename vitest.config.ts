import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Native ops use every core themselves; two files at a time keep a 2-core machine honest.
    pool: 'forks',
    maxWorkers: 2,
  },
});
