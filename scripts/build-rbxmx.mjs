// Builds the Roblox SDK as one model file, for use without Rojo: node scripts/build-rbxmx.mjs [FILE]
// (default: dist/Countersign.rbxmx). Drag it into ServerScriptService. The output is reproducible.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Escapes the text of an XML element or attribute. Throws for control characters that XML 1.0 cannot represent. */
function text(value) {
  if (/[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(value)) throw new Error('not a character of XML')
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** A CDATA section. Splits it where the source contains the end of a section. */
export function cdata(source) {
  return `<![CDATA[${source.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`
}

/** A ModuleScript with its children, in the format of Studio. */
function moduleScript({ name, source, children }, next, indent = '\t') {
  const inner = `${indent}\t`
  return [
    `${indent}<Item class="ModuleScript" referent="RBX${next()}">`,
    `${inner}<Properties>`,
    `${inner}\t<string name="Name">${text(name)}</string>`,
    `${inner}\t<ProtectedString name="Source">${cdata(source)}</ProtectedString>`,
    `${inner}</Properties>`,
    ...children.map(child => moduleScript(child, next, inner)),
    `${indent}</Item>`
  ].join('\n')
}

/** Like Rojo: a folder with an init.luau becomes that script, and the other files its children. */
function readFolder(folder, name) {
  const names = readdirSync(folder)
    .filter(file => file.endsWith('.luau') && file !== 'init.luau')
    .sort()
  const read = file => readFileSync(`${folder}/${file}`, 'utf8').replaceAll('\r\n', '\n')
  const children = names.map(file => ({ name: file.replace(/\.luau$/, ''), source: read(file), children: [] }))
  return { name, source: read('init.luau'), children }
}

export function buildModel() {
  let referents = 0
  const next = () => referents++
  const { name } = JSON.parse(readFileSync(`${root}roblox/default.project.json`, 'utf8'))
  return `<roblox version="4">\n${moduleScript(readFolder(`${root}roblox/src`, name), next)}\n</roblox>\n`
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? `${root}dist/Countersign.rbxmx`
  mkdirSync(dirname(resolve(file)), { recursive: true })
  writeFileSync(file, buildModel())
  console.log(`wrote ${file}`)
}
