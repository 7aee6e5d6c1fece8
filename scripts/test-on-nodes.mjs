// Runs tests on several versions of Node: all of `npm test` on each with `npm run test:nodes`, on some with `-- --only 22,26`.
// With --part, as `.ci/run` has it, it runs a part of them on the versions that this process is not: the tests that need no
// process of their own, and on one version, another one each day, those of the stores, the bridge and calls too. Versions are
// pinned in node-versions.mjs. The last line is `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { installNode, nodeVersions } from './node-versions.mjs'

const quickTests = ['auth', 'channels', 'cluster', 'protocol', 'session']
const moreTests = ['bridge', 'calls', 'store']

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { only: { type: 'string' }, part: { type: 'boolean', default: false } } })
const running = process.versions.node.split('.')[0]
const known = Object.keys(nodeVersions)
const wanted = values.only?.split(',') ?? known.filter(major => !values.part || major !== running)

function fail(message) {
  process.stderr.write(`test:nodes: ${message}\n`)
  process.exit(1)
}

const unknown = wanted.find(major => !known.includes(major))
if (unknown !== undefined) fail(`--only takes ${known.join(', ')}, not ${JSON.stringify(unknown)}`)

function binOf(version) {
  try {
    return installNode(version)
  } catch (error) {
    return fail(error.message)
  }
}

function testsOf(folder) {
  const names = readdirSync(join(root, 'test', folder)).filter(name => name.endsWith('.test.ts'))
  return names.map(name => `test/${folder}/${name}`)
}

/** The day of the commit decides, so that a failure comes again. Without git the first one. */
function versionOfTheDay() {
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' })
  const day = Math.floor(Number(stdout) / 86_400)
  return wanted[day % wanted.length]
}

function filesFor(major) {
  if (!values.part) return []
  return (major === versionOfTheDay() ? [...quickTests, ...moreTests] : quickTests).flatMap(testsOf)
}

/** @returns how many assertions passed and failed; an end without a count is a failure */
function test(version, files) {
  // The scripts of npm find `node` through the PATH; npm itself goes on with its own.
  const PATH = `${binOf(version)}:${process.env.PATH}`
  const args = ['test', '--silent', '--', '--reporter=terse', ...files]
  const child = spawn('npm', args, { cwd: root, env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'inherit'] })
  let end = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    process.stdout.write(text)
    end = (end + text).slice(-20_000)
  })
  return new Promise(resolve => {
    child.once('close', status => {
      const [, pass = '0', failed = '0'] = /.*# \{ total: \d+, pass: (\d+)(?:, fail: (\d+))?/s.exec(end) ?? []
      const isUnexplained = failed === '0' && (status !== 0 || pass === '0')
      resolve({ passed: Number(pass), failed: Number(failed) + (isUnexplained ? 1 : 0) })
    })
  })
}

const total = { passed: 0, failed: 0 }
const lines = []
for (const major of wanted) {
  const version = nodeVersions[major]
  process.stdout.write(`\nNode ${version}\n`)
  const began = performance.now()
  const { passed, failed } = await test(version, filesFor(major))
  const seconds = Math.round((performance.now() - began) / 1000)
  lines.push(`Node ${version}: ${passed} assertions passed, ${failed} failed, ${seconds} s`)
  total.passed += passed
  total.failed += failed
}
process.stdout.write(`\n${lines.join('\n')}\n${total.passed} passed, ${total.failed} failed\n`)
process.exitCode = total.failed === 0 ? 0 : 1
