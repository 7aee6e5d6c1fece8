import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'

/** Compares the committed files with the output of `npm run generate`. */
const generated: Record<string, readonly string[]> = {
  'scripts/generate-hmac-luau.mjs': ['roblox/src/Sha256Native.luau', 'roblox/src/Sha256Plain.luau'],
  'scripts/generate-hmac-vectors.mjs': ['test/vectors/hmac-lengths.json'],
  'scripts/generate-frame-vectors.mjs': ['test/vectors/frames.json']
}

for (const [script, files] of Object.entries(generated)) {
  t.test(`${files.join(' and ')} are the output of ${script}`, async t => {
    const fresh = execFileSync(process.execPath, [script, '--print'], { encoding: 'utf8' })
    t.equal(files.map(file => readFileSync(file, 'utf8')).join(''), fresh, 'run: npm run generate')
  })
}
