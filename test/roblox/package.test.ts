import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'

/** The files that a Roblox developer installs: the model file, the project files, the types for roblox-ts. */

const read = (path: string) => readFileSync(path, 'utf8')
const modules = readdirSync('roblox/src').filter(name => name.endsWith('.luau'))

function build(dir: string, name: string): string {
  const file = join(dir, name)
  execFileSync(process.execPath, ['scripts/build-rbxmx.mjs', file])
  return read(file)
}

/** Reads the scripts of a model file with a small strict XML parser: elements, attributes, text, CDATA. */
function readModel(xml: string): { name: string; source: string; depth: number }[] {
  const scripts: { name: string; source: string; depth: number }[] = []
  const open: string[] = []
  const token = /<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)(\w+)((?:\s+\w+="[^"<&]*")*)>|([^<>&]|&(?:amp|lt|gt|quot);)+/gy
  let property = ''
  for (let at = 0; at < xml.length; at = token.lastIndex) {
    token.lastIndex = at
    const match = token.exec(xml)
    if (match === null) throw new Error(`not XML at ${at}: ${xml.slice(at, at + 40)}`)
    const [whole, section, close, tag, attributes = ''] = match
    const current = scripts.at(-1)
    if (section !== undefined && current !== undefined) current.source += section
    else if (tag === undefined) {
      if (property === 'Name' && current !== undefined) current.name += whole
      else if (whole.trim() !== '') throw new Error(`unexpected text: ${whole}`)
    } else if (close === '/') {
      if (open.pop() !== tag) throw new Error(`</${tag}> has no start tag`)
      property = ''
    } else {
      open.push(tag)
      property = /name="(\w+)"/.exec(attributes)?.[1] ?? ''
      if (tag === 'Item') {
        if (!attributes.includes('class="ModuleScript"')) throw new Error(`an item that is not a ModuleScript`)
        scripts.push({ name: '', source: '', depth: open.filter(name => name === 'Item').length })
      }
    }
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(', ')}`)
  return scripts
}

t.test('the model file is well-formed, complete and reproducible', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-rbxmx-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const xml = build(dir, 'a.rbxmx')
  t.equal(build(dir, 'b.rbxmx'), xml)
  const [main, ...children] = readModel(xml)
  t.match(main, { name: 'Countersign', source: read('roblox/src/init.luau'), depth: 1 })
  t.same(
    children.map(({ name }) => `${name}.luau`),
    modules.filter(name => name !== 'init.luau').sort()
  )
  for (const { name, source, depth } of children) {
    t.equal(source, read(`roblox/src/${name}.luau`), name)
    t.equal(depth, 2)
  }
  const referents = [...xml.matchAll(/ referent="(\w+)"/g)].map(match => match[1])
  t.equal(new Set(referents).size, modules.length, 'referents are unique')
})

t.test('the XML parser of this test refuses malformed XML', async t => {
  for (const bad of ['<a>', '</a>', '<a></b>', '<a>x</a>', '<a b=c></a>', '<a>&</a>', '<Item class="Script"></Item>']) {
    t.throws(() => readModel(bad), bad)
  }
})

t.test('a source that contains the end of a CDATA section is kept', async t => {
  const script = `
    import { cdata } from './scripts/build-rbxmx.mjs'
    process.stdout.write(cdata('a[b[1]]>c ]]> d'))
  `
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const sections = [...stdout.matchAll(/<!\[CDATA\[([\s\S]*?)\]\]>/g)].map(match => match[1])
  t.equal(sections.join(''), 'a[b[1]]>c ]]> d')
  t.equal(stdout.replace(/<!\[CDATA\[[\s\S]*?\]\]>/g, ''), '')
})

t.test('names and versions agree in all manifests', async t => {
  const { version } = JSON.parse(read('package.json'))
  t.match(read('roblox/wally.toml'), `version = "${version}"`)
  t.match(read('roblox/wally.toml'), 'realm = "server"')
  const repository = JSON.parse(read('roblox/package.json')).repository.url.replace(/^git\+|\.git$/g, '')
  t.match(read('roblox/wally.toml'), `repository = "${repository}"`)
  t.equal(JSON.parse(read('roblox/package.json')).version, version)
  t.equal(JSON.parse(read('roblox/default.project.json')).tree.$path, 'src')
  const example = JSON.parse(read('roblox/example/default.project.json'))
  t.equal(example.tree.ServerScriptService.Countersign.$path, '../src')
})

t.test('both packages contain the license', async t => {
  t.equal(read('roblox/LICENSE'), read('LICENSE'))
  t.match(read('roblox/wally.toml'), /^include = \[.*"LICENSE"/m)
  t.ok(JSON.parse(read('roblox/package.json')).files.includes('LICENSE'))
})

t.test('selene finds the globals of Roblox in the repository', async t => {
  t.match(read('roblox/selene.toml'), 'std = "roblox"')
  const globals = new Set([...read('roblox/roblox.yml').matchAll(/^ {2}(\w+)/gm)].map(match => match[1]))
  for (const name of ['game', 'script', 'task', 'warn', 'Random']) t.ok(globals.has(name), name)
})

t.test('the types for roblox-ts parse, and declare the members of the Luau modules', async t => {
  const text = read('roblox/src/index.d.ts')
  const file = ts.createSourceFile('index.d.ts', text, ts.ScriptTarget.Latest, true)
  const { parseDiagnostics } = file as unknown as { parseDiagnostics: ts.Diagnostic[] }
  t.same(
    parseDiagnostics.map(({ messageText }) => messageText),
    []
  )
  const members = new Map<string, string[]>()
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node)) {
      const names = node.members.flatMap(member => (member.name === undefined ? [] : [member.name.getText(file)]))
      members.set(node.name.text, [...(members.get(node.name.text) ?? []), ...names])
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  const type = /^export type Client = \{\n([\s\S]*?)^\}/m.exec(read('roblox/src/Client.luau'))?.[1] ?? ''
  const names = [...type.matchAll(/^\t([A-Z]\w+): /gm)].map(match => match[1] ?? '')
  t.same(members.get('Client')?.toSorted(), names.toSorted())
  const options = [...read('roblox/src/Options.luau').matchAll(/^\t\.(\w+) /gm)].map(match => match[1] ?? '')
  t.same(members.get('Options')?.toSorted(), options.toSorted())
  const ticket = [...read('roblox/src/Ticket.luau').matchAll(/^\t\.(\w+) /gm)].map(match => match[1] ?? '')
  t.same(members.get('TicketOptions')?.toSorted(), ticket.toSorted())
  const exports = /\nreturn \{([\s\S]*)\}/.exec(read('roblox/src/init.luau'))?.[1] ?? ''
  const exported = [...exports.matchAll(/^\t(\w+) = /gm)].map(match => match[1] ?? '')
  t.same(members.get('Countersign')?.toSorted(), exported.toSorted())
})

t.test('only the entry point uses globals of Roblox', async t => {
  for (const name of modules) {
    const source = read(`roblox/src/${name}`)
      .replace(/--\[=\[[\s\S]*?\]=\]/g, '')
      .replace(/--.*$/gm, '')
    t.match(source, /^/, name)
    // EncodingServiceHash checks whether it runs in Roblox.
    if (name === 'init.luau' || name === 'EncodingServiceHash.luau') continue
    t.notMatch(source, /\b(game|script|workspace|Enum|Instance)\b\s*[.:(]/, `${name} uses no global of Roblox`)
    t.notMatch(source, /(?<![.\w])task\s*\./, `${name} receives its scheduler as an argument`)
  }
})
