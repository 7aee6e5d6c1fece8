// Formats all Luau files, and the samples in the documentation of the SDK, with StyLua and roblox/stylua.toml: npm run format:luau.
// With --check it only lists the files that differ, and exits with 1 if there are any.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatLuau } from './stylua.mjs'

const folders = ['roblox', 'test/roblox', 'bench']
const documents = ['roblox/README.md', 'docs/roblox.md']
const isCheck = process.argv.includes('--check')
const files = folders.flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.luau') && !/(^|\/)(node_modules|Packages|ServerPackages)\//.test(name))
    .map(name => join(folder, name))
)

function format(file, source) {
  if (!file.endsWith('.md')) return formatLuau(source)
  return source.replace(/^(```lua\n)([\s\S]*?)(^```$)/gm, (_, open, code, close) => open + formatLuau(code) + close)
}

let wrong = 0
for (const file of [...files, ...documents]) {
  const source = readFileSync(file, 'utf8')
  let formatted = source
  try {
    formatted = format(file, source)
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
