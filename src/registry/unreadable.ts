/** The part of a pino logger that the registry uses. */
export interface RegistryLog {
  warn(fields: object, message: string): void
}

/** Places that are reported in full, per process. One last line covers further ones. */
const maxReported = 1000

/**
 * Reports data that cannot be opened: it was changed in the store, or its master key was removed. Each place gets one
 * line per process, however often it is read.
 */
export class UnreadableReports {
  readonly #log: RegistryLog
  readonly #reported = new Set<string>()

  constructor(log: RegistryLog) {
    this.#log = log
  }

  /** @param place  the location in terms that operators know, e.g. `{clientId, keyId}` */
  report(place: Readonly<Record<string, string>>): void {
    const name = JSON.stringify(place)
    if (this.#reported.size > maxReported || this.#reported.has(name)) return
    this.#reported.add(name)
    if (this.#reported.size > maxReported) {
      this.#log.warn({ reported: maxReported }, 'more stored values do not open: further ones are not logged')
      return
    }
    this.#log.warn(place, 'a stored value does not open: it was changed in the store, or its master key was removed')
  }
}
