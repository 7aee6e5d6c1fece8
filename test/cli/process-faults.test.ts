import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { UnhandledRejections } from '../../src/cli/unhandled-rejections.js'
import { loggedPerMinute } from '../../src/log/repeated-events.js'
import { createClock } from '../helper/clock.js'
import { type RunningGateway, runGateway, tempDir } from '../helper/process.js'
import { until } from '../helper/until.js'
import { connectWire } from '../helper/wire.js'

/** A gateway that SIGWINCH makes reject a promise, and SIGCONT makes throw. */
function runFaulty(t: Test): Promise<RunningGateway> {
  const folder = tempDir(t)
  const preload = join(folder, 'faults.mjs')
  writeFileSync(
    preload,
    `process.on('SIGWINCH', () => { Promise.reject(new Error('forgotten')) })
    process.on('SIGCONT', () => { throw new Error('thrown') })`
  )
  return runGateway(t, join(folder, 'data'), { NODE_OPTIONS: `--import=file://${preload}` })
}

t.test('an unhandled rejection is logged with its stack and counted, and the process continues', async t => {
  const gateway = await runFaulty(t)
  gateway.child.kill('SIGWINCH')
  await until('its line', () => gateway.stdout().includes('nothing handled it'))
  const [line = ''] = gateway
    .stdout()
    .split('\n')
    .filter(each => each.includes('nothing handled it'))
  t.match(JSON.parse(line), { level: 50, err: { message: 'forgotten', stack: /faults\.mjs/ }, unhandledRejections: 1 })
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  t.match(metrics, /^countersign_unhandled_rejections_total 1$/m)
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200)
  gateway.child.kill('SIGTERM')
  t.match(await gateway.ended, { code: 0 })
})

t.test('an uncaught exception ends the process after an orderly stop, with one line', async t => {
  const gateway = await runFaulty(t)
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  gateway.child.kill('SIGCONT')
  t.match(await wire.closed(), { code: 4512 }, 'connections are closed in order')
  t.match(await gateway.ended, { code: 1 })
  const lines = gateway
    .stdout()
    .split('\n')
    .filter(line => line.includes('thrown'))
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0] ?? ''), { level: 60, msg: 'stopping because of an uncaught exception' })
})

t.test('limits the lines about unhandled rejections', async t => {
  const clock = createClock()
  const lines: string[] = []
  const rejections = new UnhandledRejections({ error: (_fields, text) => void lines.push(text) }, clock.now)
  for (let i = 0; i < 1000; i++) rejections.record(new Error('x'))
  t.equal(rejections.count, 1000)
  t.equal(lines.length, loggedPerMinute)
  t.match(lines.at(-1), /further ones of this minute are only counted/)
  clock.advance(60_000)
  rejections.record('a text that may be a secret')
  t.equal(lines.length, loggedPerMinute + 1)
})

t.test('bug: with a very low limit of open files the start ended with a stack of the module loader', async t => {
  const command = `ulimit -n 64; exec "$0" "$1" serve`
  const program = resolve('bin/countersign.mjs')
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(
    stderr,
    /^countersign needs a limit of at least 224 open files; this is 64: raise it, e\.g\. ulimit -n 4096\n$/
  )
})
