import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The example examples/live-ops, started as its README states. */

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * @param {string[]} args  of run.mjs
 * @returns its links by role, the gateway's address and the token of the game servers
 */
export async function startExample(args) {
  const child = spawn(process.execPath, ['examples/live-ops/run.mjs', '--port', '0', '--gateway-port', '0', ...args], {
    cwd: root,
    env: { ...process.env, COUNTERSIGN_RATE_LIMIT: 'off' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const found = {}
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, value] = /^ {2}(moderator|owner|gateway|token) +(\S+)/.exec(line) ?? []
    if (name !== undefined) found[name] = value
    if (/simulated game servers/.test(line)) break
  }
  if (found.token === undefined) throw new Error('the example did not start')
  return {
    links: { moderator: found.moderator, owner: found.owner },
    gatewayUrl: found.gateway,
    gameToken: found.token,
    async stop() {
      if (child.exitCode !== null) return child.exitCode
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      return code
    }
  }
}

/** Signs in at the backend as the page does. @returns a function that gets a ticket */
export async function signIn(link) {
  const { origin, hash } = new URL(link)
  const [name, password] = hash.slice(1).split(':')
  const send = (path, headers, body) =>
    fetch(`${origin}${path}`, { method: 'POST', headers: { origin, ...headers }, body })
  const entered = await send('/sign-in', {}, JSON.stringify({ name, password }))
  if (entered.status !== 204) throw new Error(`not signed in: ${entered.status}`)
  const [cookie] = entered.headers.get('set-cookie').split(';')
  return async () => {
    const answer = await send('/ticket', { cookie })
    if (!answer.ok) throw new Error(`no ticket: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
}
