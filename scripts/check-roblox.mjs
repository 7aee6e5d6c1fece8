// Checks the Luau SDK with the tools of Roblox developers: npm run check:roblox. A tool that is missing is skipped, with one
// line that names it. Each tool is found on the PATH or named by a variable: LUAU_ANALYZE, ROJO, SELENE, WALLY, RBXTSC.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeFolder } from '../test/helper/remove-folder.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Longest run of one tool. */
const timeout = 300_000
/** luau-analyze does not know the globals of Roblox; what depends on one is not checked. */
const robloxGlobal = /Unknown global '(game|task|Enum|Random|warn|script|workspace)'/
const counts = { passed: 0, failed: 0, skipped: 0 }

function report(name, problems) {
  counts[problems === '' ? 'passed' : 'failed'] += 1
  console.log(problems === '' ? `${name}: ok` : `${name}: failed\n${problems}`)
}

function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout })
  return { status, error, output: `${stdout ?? ''}${stderr ?? ''}`.trim() }
}

/** The command of a tool; undefined, after a line that says so, if it is missing. */
function find(name, variable, hint) {
  const command = process.env[variable] ?? name
  const { error } = run(command, ['--help'])
  if (error === undefined) return command
  counts.skipped += 1
  console.log(`${name}: skipped, because it is neither on the PATH nor named by ${variable} (${hint})`)
  return undefined
}

function checkFormat() {
  const { status, output } = run(process.execPath, ['scripts/format-luau.mjs', '--check'])
  report('stylua', status === 0 ? '' : output)
}

/** The Luau code of a Markdown file, each block as a script beside the SDK. */
function samples(file) {
  return [...readFileSync(join(root, file), 'utf8').matchAll(/^```lua\n([\s\S]*?)^```$/gm)].map(([, code]) =>
    code.replaceAll('require(game.ServerScriptService.Countersign)', 'require("./src")')
  )
}

/** Analyzes a copy of the SDK in which the samples of the documentation are files. */
function checkTypes(command, folder) {
  cpSync(join(root, 'roblox/src'), join(folder, 'src'), { recursive: true })
  const files = readdirSync(join(folder, 'src'))
    .filter(name => name.endsWith('.luau'))
    .map(name => join('src', name))
  for (const [name, file] of [
    ['readme', 'roblox/README.md'],
    ['guide', 'docs/roblox.md']
  ]) {
    samples(file).forEach((code, index) => {
      const path = `${name}${index + 1}.luau`
      writeFileSync(join(folder, path), code.startsWith('--!strict') ? code : `--!strict\n${code}`)
      files.push(path)
    })
  }
  for (const solver of ['old', 'new']) {
    const { output } = run(command, [`--solver=${solver}`, '--formatter=plain', ...files], folder)
    const problems = output.split('\n').filter(line => line !== '' && !robloxGlobal.test(line))
    report(`luau-analyze, ${solver} solver, ${files.length} files`, problems.join('\n'))
  }
}

function checkBuild(command, folder) {
  for (const project of ['roblox', 'roblox/example']) {
    const { status, output } = run(command, ['build', project, '-o', join(folder, 'built.rbxlx')])
    report(`rojo build ${project}`, status === 0 ? '' : output)
  }
}

function checkLint(command) {
  const { status, output } = run(command, ['src', 'example'], join(root, 'roblox'))
  // A selene that was built without Luau reports that, and 0 errors.
  report('selene', status === 0 && !output.includes('ERROR') ? '' : output)
}

function checkPackage(command, folder) {
  const list = run(command, ['package', '--project-path', 'roblox', '--list'])
  const built = run(command, ['package', '--project-path', 'roblox', '--output', join(folder, 'package.zip')])
  const isComplete = ['LICENSE', 'README.md', 'wally.toml', 'src/init.luau'].every(name => list.output.includes(name))
  report('wally package', built.status === 0 && isComplete ? '' : `${list.output}\n${built.output}`)
}

/** A project of roblox-ts that uses the declarations. `@rbxts/types` must be installed beside RBXTSC. */
function checkDeclarations(command, folder) {
  const project = join(folder, 'rbxts')
  mkdirSync(join(project, 'src'), { recursive: true })
  mkdirSync(join(project, 'node_modules/@rbxts'), { recursive: true })
  const installed = resolve(command, '../../@rbxts')
  for (const name of ['types', 'compiler-types']) {
    symlinkSync(join(installed, name), join(project, 'node_modules/@rbxts', name))
  }
  cpSync(join(root, 'roblox'), join(project, 'node_modules/@rbxts/countersign'), { recursive: true })
  cpSync(join(root, 'roblox/test/rbxts'), project, { recursive: true })
  const { status, output } = run(command, ['--type', 'game'], project)
  report('roblox-ts', status === 0 ? '' : output)
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-check-'))
try {
  checkFormat()
  const tools = [
    ['luau-analyze', 'LUAU_ANALYZE', 'build it from the sources of Luau', checkTypes],
    ['selene', 'SELENE', 'cargo install selene', checkLint],
    ['rojo', 'ROJO', 'cargo install rojo, or rokit install', checkBuild],
    ['wally', 'WALLY', 'rokit install', checkPackage],
    ['rbxtsc', 'RBXTSC', 'npm i roblox-ts @rbxts/types @rbxts/compiler-types', checkDeclarations]
  ]
  for (const [name, variable, hint, check] of tools) {
    const command = find(name, variable, hint)
    if (command !== undefined) check(command, folder)
  }
} finally {
  removeFolder(folder)
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exit(counts.failed === 0 ? 0 : 1)
