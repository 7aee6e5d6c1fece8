import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { tempDir } from './process.js'

/** A small disk of its own, that a test can fill. */
export interface SmallDisk {
  readonly folder: string
  /** Writes to the disk until nothing fits any more. */
  fill(): void
  /** Frees what {@link SmallDisk.fill} took. */
  free(): void
}

const blockBytes = 4096

/** Mounts a disk in memory; only root may. @returns why there is none, for a test to skip with */
export function mountSmallDisk(t: Test, mebibytes: number): SmallDisk | string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can mount a small disk'
  const folder = tempDir(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'countersign-test', folder], {
      stdio: 'ignore'
    })
  } catch {
    return 'this system does not let root mount a small disk (a container without CAP_SYS_ADMIN)'
  }
  t.teardown(() => execFileSync('umount', ['-l', folder]))
  const ballast = join(folder, 'ballast')
  return {
    folder,
    fill() {
      const file = openSync(ballast, 'a')
      try {
        for (;;) writeSync(file, Buffer.alloc(blockBytes, 1))
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(ballast, { force: true })
  }
}
