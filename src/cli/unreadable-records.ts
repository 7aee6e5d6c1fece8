import type { Io } from './command.js'
import type { Answer } from './gateway.js'
import { clean, note } from './output.js'

/** Ids in the note; the gateway's log names the others. */
const maxShownIds = 10

/** Unreadable records that lists of the gateway name. */
export class UnreadableRecords {
  readonly #shown: string[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Records those of one page. */
  add({ unreadable }: Answer): void {
    for (const id of Array.isArray(unreadable) ? unreadable : []) {
      this.#count++
      if (this.#shown.length < maxShownIds) this.#shown.push(clean(String(id)))
    }
  }

  /**
   * Reports on stderr which records are missing from a list, if any.
   * @param noun  the kind of records as commands name it, e.g. `clients`
   */
  async report(io: Io, noun: string): Promise<void> {
    if (this.#count === 0) return
    const more = this.#count > maxShownIds ? ' …' : ''
    await note(
      io,
      `countersign: ${noun} that do not open and are left out: ${this.#count} (${this.#shown.join(' ')}${more}). Either ` +
        'their master key is missing: configure it behind the current one. Or they were changed, damaged or lost in ' +
        `the store: restore a backup, or remove them: countersign ${noun} delete ${this.#shown[0]}`
    )
  }
}
