import { type DestinationStream, destination } from 'pino'

/** Bytes of log lines that may wait for their reader. Further lines are dropped and counted. */
export const maxPendingLogBytes = 1024 * 1024

/** Bytes that one write to a pipe writes atomically (PIPE_BUF of Linux). */
const atomicWriteBytes = 4096

/** Destination of log lines. It neither blocks the process nor grows without bound when they are not read. */
export interface LogDestination extends DestinationStream {
  /** Lines dropped since the start. */
  readonly droppedLines: number
  /** Writes the waiting lines synchronously. */
  flushSync(): void
}

/**
 * @param fd        file descriptor to write to
 * @param report    receives the number of lines that were dropped, once the reader has caught up
 * @param maxBytes  bytes that may wait
 * @param isShared  whether other processes write there too; lines of up to 4 KiB then stay whole
 */
export function createLogDestination(
  fd: number,
  report: (droppedLines: number) => void,
  maxBytes = maxPendingLogBytes,
  isShared = false
): LogDestination {
  const writes = isShared ? { maxWrite: atomicWriteBytes } : {}
  const stream = destination({ dest: fd, sync: false, maxLength: maxBytes, ...writes })
  let dropped = 0
  let reported = 0
  stream.on('drop', () => dropped++)
  stream.on('drain', () => {
    if (dropped === reported) return
    const lines = dropped - reported
    reported = dropped
    report(lines)
  })
  return {
    write: line => void stream.write(line),
    flushSync: () => stream.flushSync(),
    get droppedLines() {
      return dropped
    }
  }
}
