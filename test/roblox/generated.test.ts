import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'

/** What the scripts of `npm run generate` would write now, against what is in the tree. */
const generated: Record<string, readonly string[]> = {
  'scripts/generate-hmac-luau.mjs': ['roblox/src/Sha256Native.luau', 'roblox/src/Sha256Plain.luau'],
  'scripts/generate-hmac-vectors.mjs': ['test/vectors/hmac-lengths.json']
}

for (const [script, files] of Object.entries(generated)) {
  t.test(`${files.join(' and ')} are what ${script} writes`, async t => {
    const fresh = execFileSync(process.execPath, [script, '--print'], { encoding: 'utf8' })
    t.equal(files.map(file => readFileSync(file, 'utf8')).join(''), fresh, 'run: npm run generate')
  })
}
