import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

/** Runs Luau test files, each in its own process. They print TAP (roblox/test/testing.luau). */

/** The part of a tap test that this module uses. */
interface Spawner {
  spawn(command: string, args: string[], options: { env: NodeJS.ProcessEnv }, name: string): PromiseLike<unknown>
}

/** lune, if it is installed or named by LUNE. luau-web, from npm, is always available. */
const lune = process.env['LUNE'] ?? 'lune'
const hasLune = spawnSync(lune, ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0

/** The specs that need no gateway: `roblox/test/*.spec.luau`. */
export function specFiles(): string[] {
  return readdirSync('roblox/test')
    .filter(name => name.endsWith('.spec.luau'))
    .sort()
    .map(name => `roblox/test/${name}`)
}

/**
 * Runs a Luau file in each available runtime; each of its tests becomes a subtest.
 *
 * @param environment  added to the environment of the process, e.g. the address of a gateway
 */
export async function runLuau(t: Spawner, file: string, environment: Record<string, string> = {}): Promise<void> {
  const env = { ...process.env, ...environment }
  // runtime/run.mjs documents the limitations of luau-web.
  await t.spawn(
    process.execPath,
    ['--stack-size=4000', 'test/roblox/runtime/run.mjs', file],
    { env },
    `luau-web ${file}`
  )
  if (hasLune) await t.spawn(lune, ['run', file], { env }, `lune ${file}`)
}
