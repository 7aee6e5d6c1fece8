import { type DestinationStream, destination } from 'pino'

/** Bytes of log lines that may wait for their reader. Lines above are dropped and counted. */
export const maxPendingLogBytes = 1024 * 1024

/** What one write to a pipe takes whole or not at all (PIPE_BUF of Linux). */
const atomicWriteBytes = 4096

/** Where log lines go. It neither blocks the process nor grows without bound when nobody reads. */
export interface LogDestination extends DestinationStream {
  /** Lines dropped since the start. */
  readonly droppedLines: number
  /** Writes what is waiting, and waits for it. */
  flushSync(): void
}

/**
 * @param fd        file descriptor to write to
 * @param report    receives the number of lines that were dropped, once the reader has caught up
 * @param maxBytes  bytes that may wait
 * @param isShared  whether other processes write there too: then lines of up to 4 KiB stay whole
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
