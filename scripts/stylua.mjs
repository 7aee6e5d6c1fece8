import { readFileSync } from 'node:fs'
import * as stylua from '@johnnymorganz/stylua'

const path = new URL('../roblox/stylua.toml', import.meta.url)
const enums = {
  syntax: stylua.LuaVersion,
  line_endings: stylua.LineEndings,
  indent_type: stylua.IndentType,
  quote_style: stylua.QuoteStyle,
  call_parentheses: stylua.CallParenType,
  collapse_simple_statement: stylua.CollapseSimpleStatement
}

/** stylua.toml is flat: `name = "Value"` or `name = 120`. The package reads no file itself. */
function readConfig() {
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

/** The source as StyLua writes it. Throws, with line and column, if it does not parse. */
export function formatLuau(source) {
  return stylua.formatCode(source, readConfig(), undefined, stylua.OutputVerification.None)
}
