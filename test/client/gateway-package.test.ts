import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { tempDir } from '../helper/process.js'

/** The gateway's own package, as `npm pack` writes it on a clone that was never built. */

const root = fileURLToPath(new URL('../../', import.meta.url))
/** The oldest Node that the package promises. */
const oldestNode = [20, 19, 0]

function copyOfClone(t: Test): string {
  const clone = tempDir(t)
  for (const name of ['bin', 'scripts', 'src', 'web', 'roblox', 'package.json', '.npmrc', 'tsconfig.json']) {
    cpSync(join(root, name), join(clone, name), { recursive: true })
  }
  cpSync(join(root, 'tsconfig.build.json'), join(clone, 'tsconfig.build.json'))
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  return clone
}

t.test('bug: `npm pack` shipped no SDK', { timeout: 300_000 }, async t => {
  const clone = copyOfClone(t)
  // Here npm may be set to run no scripts; a consumer's npm is not.
  execFileSync('npm', ['pack', '--ignore-scripts=false', '--silent'], { cwd: clone, stdio: 'ignore' })
  t.notMatch(readFileSync(join(root, '.npmrc'), 'utf8'), /^\s*ignore-scripts/m, 'it would switch `prepack` off')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const consumer = tempDir(t)
  const installed = join(consumer, 'app/node_modules/countersign')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['xzf', join(clone, `countersign-${version}.tgz`), '-C', installed, '--strip-components=1'])
  symlinkSync(join(root, 'node_modules'), join(consumer, 'node_modules'))
  const run = (...args: readonly string[]) =>
    execFileSync(process.execPath, args, { cwd: join(consumer, 'app'), encoding: 'utf8', timeout: 60_000 }).trim()

  t.equal(run(join(installed, 'bin/countersign.mjs'), '--version'), version)
  const use = `const { createClient } = await import('countersign/client'); console.log(typeof createClient)`
  for (const condition of ['node', 'browser']) {
    t.equal(run('--input-type=module', `--conditions=${condition}`, '-e', use), 'function', condition)
  }
  writeFileSync(
    join(consumer, 'app/a.mts'),
    `import { createClient } from 'countersign/client'\nexport const state: string = createClient({ url: 'ws://x', credential: { clientId: 'c', secret: 's' } }).state\n`
  )
  const compilerOptions = { module: 'node16', target: 'es2022', strict: true, noEmit: true, types: [] }
  writeFileSync(join(consumer, 'app/tsconfig.json'), JSON.stringify({ compilerOptions, files: ['a.mts'] }))
  t.equal(run(join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'), '', 'it has types')
})

const numbersOf = (version: string) => version.split('.').map(Number)

/** Whether a version is in a range of `engines`, in the forms that packages use. */
function isWithin([major = 0, minor = 0]: readonly number[], range: string): boolean {
  return range.split('||').some(alternative => {
    const [, operator = '', version = ''] = /^(>=|\^|)\s*([\d.]+)(?:\.x)?$/.exec(alternative.trim()) ?? []
    const [wantedMajor = Number.NaN, wantedMinor = 0] = numbersOf(version)
    if (operator === '>=') return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
    return major === wantedMajor && minor >= wantedMinor
  })
}

t.test('bug: consumers on Node 20 got EBADENGINE, since root `overrides` do not reach them', async t => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  t.equal(manifest.overrides, undefined)
  t.equal(manifest.engines.node, `>=${oldestNode.slice(0, 2).join('.')}`)
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; engines?: { node?: string } }>
  }
  const ranges = Object.entries(packages).flatMap(([name, { dev, engines }]) =>
    name === '' || dev === true || engines?.node === undefined ? [] : [`${name} ${engines.node}`]
  )
  t.ok(ranges.length > 30)
  t.same(
    ranges.filter(each => !isWithin(oldestNode, each.slice(each.indexOf(' ') + 1).replace(/>= /g, '>='))),
    []
  )
  t.notOk(isWithin(oldestNode, '>=22'), 'the test itself refuses')
  t.notOk(isWithin(oldestNode, '^22.1.0 || 18'))
})
