import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { commands } from '../../src/cli/commands/index.js'
import { buildProgram, pathOf, RunnableCommand } from '../../src/cli/program.js'
import { tempDir } from '../helper/process.js'
import { startCommands } from './helper.js'
import { cli } from './io.js'

const { good } = await startCommands(t)
const runnable = buildProgram()
  .commands.flatMap(command => [command, ...command.commands])
  .filter(command => command instanceof RunnableCommand)

t.test('the help of every command has a text, an example and its options', async t => {
  const general = await good(t, ['help'])
  t.equal(await good(t, ['--help']), general)
  for (const command of runnable) {
    const path = pathOf(command).split(' ').slice(1)
    const { summary, examples } = command.spec
    const [noun] = path
    t.match(general, new RegExp(`^ {2}${noun} `, 'm'))
    const help = await good(t, [...path, '--help'])
    t.equal(await good(t, ['help', ...path]), help)
    t.match(help, `countersign ${path.join(' ')}`)
    t.match(help.replace(/\s+/g, ' '), summary)
    t.ok(examples.length > 0 && examples.every(each => help.includes(each)), `${path.join(' ')} has an example`)
    t.ok(examples.some(each => each.includes(`countersign ${path.join(' ')}`)))
    const names = command.options.map(({ long }) => String(long))
    for (const name of names) t.match(help, name)
    t.equal(new Set(names).size, names.length)
  }
  t.match(await good(t, ['clients', '--help']), /Verbs[\s\S]+suspend/)
  t.match(await good(t, ['version']), /^\d+\.\d+\.\d+\n$/)
})

t.test('bug: every command is reached by the words of its specification, hyphens included', async t => {
  const paths = runnable.map(command => pathOf(command).replace('countersign ', ''))
  for (const { usage } of commands) t.ok(paths.includes(usage.replace(/ [[<].*/, '')), usage)
})

t.test('bug: init-store gives an empty store its identity, and changes no other one', async t => {
  const env = { COUNTERSIGN_DATA_DIR: tempDir(t), COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') }
  const run = () => cli(['init-store', '--json'], { env })
  const first = await run()
  t.equal(first.code, 0, first.err)
  const { storeId, created } = JSON.parse(first.out)
  t.ok(created)
  t.match(JSON.parse((await run()).out), { storeId, created: false })
})

t.test('docs/cli.md is up to date', async t => {
  const fresh = execFileSync(process.execPath, ['scripts/generate-cli-docs.mjs', '--print'], { encoding: 'utf8' })
  t.equal(readFileSync('docs/cli.md', 'utf8'), fresh, 'run: node scripts/generate-cli-docs.mjs')
})

t.test('completion', async t => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = await good(t, ['completion', shell])
    for (const word of ['licenses', 'suspend', 'max-hwids', 'doctor']) t.match(script, word, `${shell}: ${word}`)
    if (spawnSync(shell, ['-c', 'true']).status !== 0) continue
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' })
    t.equal(status, 0, `${shell} parses it: ${stderr}`)
  }
  const bash = await good(t, ['completion', 'bash'])
  const replies = (words: string) => {
    const list = words.split(' ')
    const script = `${bash}\nCOMP_WORDS=(${list.map(each => `'${each}'`).join(' ')}); COMP_CWORD=${list.length - 1}; _countersign; echo "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim()
  }
  t.equal(replies('countersign li'), 'licenses')
  t.equal(replies('countersign clients s'), 'show suspend')
  t.equal(replies('countersign licenses create shop --max'), '--max-hwids --max-sessions')
  t.equal(replies('countersign completion f'), 'fish')
})
