// Formats all Luau files with StyLua and roblox/stylua.toml: npm run format:luau. With --check it only lists the files that
// differ, and exits with 1 if there are any.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatLuau } from './stylua.mjs'

const folders = ['roblox', 'test/roblox', 'bench']
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
    formatted = formatLuau(source)
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
