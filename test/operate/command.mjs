import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The command line against a gateway of `startObserved`. */

const program = fileURLToPath(new URL('../../bin/countersign.mjs', import.meta.url))

/** Starts a command. */
export function startCommand(gateway, ...args) {
  return spawn(process.execPath, [program, ...args, '--url', gateway.url], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, COUNTERSIGN_ADMIN_TOKEN: gateway.token() }
  })
}

/** Runs a command. @returns its exit code and output */
export async function command(gateway, ...args) {
  const child = startCommand(gateway, ...args)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
  const [code] = await once(child, 'close')
  return { code, output }
}
