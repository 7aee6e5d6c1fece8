import { randomBytes } from 'node:crypto'
import { closeSync, constants, fsyncSync, lstatSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** A protective change takes a few pages of 4 KiB, most of which LMDB uses again: enough for hundreds of them. */
export const reserveBytes = 1_048_576

// Windows has none of these.
const { O_NOFOLLOW: noFollow = 0 }: { O_NOFOLLOW?: number } = constants

/** A file that keeps space on the disk. It is given up when the disk is full and a change must be written all the same. */
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

  /** Whether the disk has space for as much as the reserve. Quotas are unknown to it. */
  get hasSpace(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    return bavail * bsize >= reserveBytes
  }

  /** Makes the file, unless it is there. @throws Error of the system, e.g. ENOSPC */
  hold(): void {
    if (this.isHeld) return
    try {
      // A partial one, or a link that others made: only what is created here is written to.
      rmSync(this.#path, { force: true })
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow
      const file = openSync(this.#path, flags, 0o600)
      try {
        // Random, since some file systems store zeros in no space.
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

  /** Gives up the space. @returns whether there was any */
  release(): boolean {
    const wasHeld = this.isHeld
    rmSync(this.#path, { force: true })
    return wasHeld
  }
}
