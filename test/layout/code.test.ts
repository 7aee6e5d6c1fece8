import t from 'tap'
import { filesUnder, read, sources, testFiles, writtenSources } from './files.js'
import { measureFunctions } from './functions.js'

/** The shape of the code: lengths, doc comments, and what may stand in one file only. */

const maxFunctionLines = 60
const maxSourceLines = 250
const maxTestLines = 300

/** Functions that may be longer, each with its reason. This list only shrinks, and holds five at most. */
const longFunctions: Readonly<Record<string, string>> = {}

/** Source files that may be longer, each with its reason. This list only shrinks. */
const longFiles: Readonly<Record<string, string>> = {}

t.test(`functions have at most ${maxFunctionLines} lines`, async t => {
  t.ok(Object.keys(longFunctions).length <= 5, 'at most five exceptions')
  const long = new Map<string, number>()
  for (const file of writtenSources) {
    for (const { name, lines } of measureFunctions(file, read(file))) {
      if (lines > maxFunctionLines) long.set(`${file}: ${name}`, lines)
    }
  }
  for (const [name, lines] of long) t.ok(name in longFunctions, `${name} has ${lines} lines`)
  for (const name of Object.keys(longFunctions)) t.ok(long.has(name), `${name} needs no exception`)
})

t.test('files are short', async t => {
  const lengthOf = (file: string) => read(file).split('\n').length - 1
  const long = writtenSources.filter(file => lengthOf(file) > maxSourceLines)
  for (const file of long) t.ok(file in longFiles, `${file} has ${lengthOf(file)} lines, more than ${maxSourceLines}`)
  for (const file of Object.keys(longFiles)) t.ok(long.includes(file), `${file} needs no exception`)
  for (const file of testFiles) {
    t.ok(lengthOf(file) <= maxTestLines, `${file} has ${lengthOf(file)} lines, at most ${maxTestLines}`)
  }
})

/** Whether everything above a position is imports and other comments: the doc comment there describes the file. */
function isFileHeader(above: string): boolean {
  return /^(?:\s+|#!.*\n|\/\/.*\n|import\b[^;'"]*(?:from )?'[^']+'\n)*$/.test(above)
}

/** Doc comments that nothing follows: a blank line, or another doc comment. */
function orphanedComments(text: string): string[] {
  const comments = [...text.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/(?=[ \t]*\n[ \t]*(\n|\/\*\*))/g)]
  return comments
    .filter(({ 1: next, index }) => next !== '\n' || !isFileHeader(text.slice(0, index)))
    .map(([all]) => all)
}

t.test('every doc comment stands on its declaration', async t => {
  t.equal(
    orphanedComments("import a from 'a'\n\n/** The file. */\n\n/** It. */\nlet a = 1\n").length,
    0,
    'a file header'
  )
  t.equal(orphanedComments('/** One. */\n/** Two. */\nlet a = 1\n').length, 1, 'one above another')
  t.equal(orphanedComments('let a = 1\n/** Lost. */\n\nlet b = 1\n').length, 1, 'one above a blank line')
  for (const file of [...sources, ...testFiles.filter(each => each.endsWith('.ts'))]) {
    for (const comment of orphanedComments(read(file))) t.fail(`${file}: ${comment}`)
  }
})

t.test('public types are declared interfaces', async t => {
  for (const file of sources) t.notMatch(read(file), /ReturnType<typeof create/, file)
})

t.test('references to PROTOCOL.md name sections that exist', async t => {
  const sections = new Set([...read('PROTOCOL.md').matchAll(/^#+ (\d+(?:\.\d+)?)/gm)].map(([, number]) => number))
  t.ok(sections.size > 20)
  const files = [...sources, ...testFiles, ...filesUnder('roblox/src', /\.luau$/)]
  for (const file of files) {
    for (const [, number] of read(file).matchAll(/(?<!\b(?:RFC|SP) [\w-]+ )§ ?(\d+(?:\.\d+)?)/g)) {
      t.ok(sections.has(number), `${file}: §${number}`)
    }
  }
})

t.test('close codes, Redis keys and output stay in the files that own them', async t => {
  for (const file of sources) {
    const text = read(file).replace(/^\s*(\/\/|\*|\/\*\*).*$/gm, '')
    if (!/protocol\/codes\.ts$/.test(file)) t.notMatch(text, /\b4[45]\d\d\b(?!_)/, `${file} names a close code`)
    if (!/redis\/keys\.ts$/.test(file)) t.notMatch(text, /['"`]cs:/, `${file} names a Redis key`)
    // The SDK has no other place for what its application does not listen to.
    if (/^src\/client\/(browser|node)\.ts$/.test(file)) continue
    t.notMatch(text, /\bconsole\./, `${file} writes to the console instead of the log`)
  }
})
