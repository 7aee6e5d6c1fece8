/** Time for stopping, in addition to the drain, before a process is killed, in milliseconds. */
export const stopGraceMs = 10_000
/**
 * Events that do not stop a gateway: SIGHUP reloads, SIGUSR2 is ignored, and a rejection ends nothing
 * (UnhandledRejections).
 */
export const skippedEvents = ['unhandledRejection', 'SIGHUP', 'SIGUSR2'] as const
