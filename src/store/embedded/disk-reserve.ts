import { randomBytes } from 'node:crypto'
import { closeSync, constants, fsyncSync, lstatSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** A protective change takes a few pages of 4 KiB, most of which LMDB reuses: enough for hundreds of them. */
export const reserveBytes = 1_048_576

// Windows has none of these.
const { O_NOFOLLOW: noFollow = 0 }: { O_NOFOLLOW?: number } = constants

/** A file that reserves disk space. It is released when the disk is full and a change must still be written. */
export class DiskReserve {
  readonly #path: string

  /** @param path  the file; its folder must exist */
  constructor(path: string) {
    this.#path = path
  }

  get isHeld(): boolean {
    const stats = lstatSync(this.#path, { throwIfNoEntry: false })
    return stats?.isFile() === true && stats.size === reserveBytes
  }

  /** Whether the disk has space for the size of the reserve. It does not consider quotas. */
  get hasSpace(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    return bavail * bsize >= reserveBytes
  }

  /** Creates the file, unless it exists. @throws Error of the system, e.g. ENOSPC */
  hold(): void {
    if (this.isHeld) return
    try {
      // A partial file, or a link made by others: only a file created here is written to.
      rmSync(this.#path, { force: true })
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow
      const file = openSync(this.#path, flags, 0o600)
      try {
        // Random, since some file systems store zeros without using space.
        const bytes = randomBytes(reserveBytes)
        for (let written = 0; written < reserveBytes; ) written += writeSync(file, bytes, written)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** Releases the space. @returns whether there was any */
  release(): boolean {
    const wasHeld = this.isHeld
    rmSync(this.#path, { force: true })
    return wasHeld
  }
}
