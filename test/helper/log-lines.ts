import { type Logger, pino } from 'pino'

export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly msg: string
}

/** A logger that keeps its lines. */
export function recordingLogger(level = 'info'): { logger: Logger; lines: LogLine[]; texts: () => string } {
  const lines: LogLine[] = []
  const written: string[] = []
  const logger = pino(
    { level },
    {
      write(line: string) {
        written.push(line)
        lines.push(JSON.parse(line) as LogLine)
      }
    }
  )
  return { logger, lines, texts: () => written.join('') }
}
