import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

/** Luau in tests: every file runs in a process of its own, and prints TAP (roblox/test/testing.luau). */

/** Of node-tap's test only what this file needs. */
interface Spawner {
  spawn(command: string, args: string[], options: { env: NodeJS.ProcessEnv }, name: string): PromiseLike<unknown>
}

/** Natively, where lune is installed (or named by LUNE); everywhere in luau-web, which comes from npm. */
const lune = process.env['LUNE'] ?? 'lune'
const hasLune = spawnSync(lune, ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0

/** The specs that need nothing from outside: `roblox/test/*.spec.luau`. */
export function specFiles(): string[] {
  return readdirSync('roblox/test')
    .filter(name => name.endsWith('.spec.luau'))
    .sort()
    .map(name => `roblox/test/${name}`)
}

/**
 * Runs a Luau file in each runtime there is, its tests as a subtest each.
 *
 * @param environment what the file finds in `process.env` besides ours, as the address of a gateway
 */
export async function runLuau(t: Spawner, file: string, environment: Record<string, string> = {}): Promise<void> {
  const env = { ...process.env, ...environment }
  // The rules of luau-web stand in runtime/run.mjs.
  await t.spawn(
    process.execPath,
    ['--stack-size=4000', 'test/roblox/runtime/run.mjs', file],
    { env },
    `luau-web ${file}`
  )
  if (hasLune) await t.spawn(lune, ['run', file], { env }, `lune ${file}`)
}
