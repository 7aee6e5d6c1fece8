// Formats all Luau of ours with StyLua, by roblox/stylua.toml: npm run format:luau. With --check it changes nothing, names
// the files that differ, and ends with 1 if there are any.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as stylua from '@johnnymorganz/stylua'

const folders = ['roblox', 'test/roblox', 'bench']
const enums = {
  syntax: stylua.LuaVersion,
  line_endings: stylua.LineEndings,
  indent_type: stylua.IndentType,
  quote_style: stylua.QuoteStyle,
  call_parentheses: stylua.CallParenType,
  collapse_simple_statement: stylua.CollapseSimpleStatement
}

/** stylua.toml is flat: `name = "Value"` or `name = 120`. The package reads no file itself. */
function readConfig(path) {
  const config = stylua.Config.new()
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (/^\s*(#.*)?$/.test(line)) continue
    const [, name, text, number] = /^(\w+) = (?:"(\w+)"|(\d+))$/.exec(line) ?? []
    const value = text === undefined ? Number(number) : enums[name]?.[text]
    if (!(name in config) || !Number.isInteger(value)) throw new Error(`${path}: cannot read ${line}`)
    config[name] = value
  }
  return config
}

const isCheck = process.argv.includes('--check')
const files = folders.flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.luau') && !/(^|\/)(node_modules|Packages|ServerPackages)\//.test(name))
    .map(name => join(folder, name))
)
let wrong = 0
for (const file of files) {
  const source = readFileSync(file, 'utf8')
  let formatted = source
  try {
    formatted = stylua.formatCode(source, readConfig('roblox/stylua.toml'), undefined, stylua.OutputVerification.None)
  } catch (error) {
    console.error(`${file}: ${error}`)
    wrong += 1
    continue
  }
  if (formatted === source) continue
  if (!isCheck) writeFileSync(file, formatted)
  else {
    console.error(`${file}: not formatted; run: npm run format:luau`)
    wrong += 1
  }
}
console.log(`${files.length} Luau files, ${wrong} wrong`)
process.exit(wrong === 0 ? 0 : 1)
