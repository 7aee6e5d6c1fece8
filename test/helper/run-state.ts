/**
 * The file through which `before.ts` passes its Redis to the test files and `after.ts`. All are children of one runner,
 * whose id keeps concurrent runs in one folder apart.
 */
export const runStateFile = `.tap/redis-${process.ppid}.json`
