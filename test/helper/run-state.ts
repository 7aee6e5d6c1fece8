/**
 * Where `before.ts` leaves word for the test files and `after.ts`: all three are children of one runner, and several
 * runners may work in one folder.
 */
export const runStateFile = `.tap/redis-${process.ppid}.json`
