import { readdirSync } from 'node:fs'
import t from 'tap'
import { filesUnder, read } from './files.js'
import { readableText, wordsOfName } from './source-text.js'
import { avoidedWords } from './vocabulary.js'
import { findAvoided } from './vocabulary-check.js'

/** Names and prose use the standard terms. test/layout/vocabulary.ts lists what to use instead. */

const files = ['src', 'roblox/src', 'sdk', 'test']
  .flatMap(folder => filesUnder(folder, /\.(ts|mjs|luau|lua|py)$/))
  .filter(file => !/\.generated\.|\.d\.mts$|^test\/layout\/vocabulary/.test(file))

t.test('names, comments and test titles use the standard terms', async t => {
  for (const file of files) t.same(findAvoided(file, read(file)), [], file)
})

const plainWords = avoidedWords.filter(({ only, within, isOrdinary }) => !only && !within && !isOrdinary)
const plainPattern = new RegExp(`\\b(${plainWords.map(({ word }) => word.source).join('|')})\\b`, 'gi')
const documents = [
  ...readdirSync('.').filter(name => name.endsWith('.md')),
  ...['docs', 'deploy', 'roblox', 'sdk'].flatMap(folder => filesUnder(folder, /\.md$/))
].filter(name => name !== 'docs/glossary.md')
// A string with three words or more is a sentence for a reader.
const sentence = /'[^'\n]*\w \w+ \w[^'\n]*'|`[^`\n]*\w \w+ \w[^`\n]*`/g

t.test('documents and messages use the standard terms', async t => {
  t.ok(documents.includes('CHANGELOG.md') && documents.includes('docs/operating.md'))
  for (const file of documents) t.same(read(file).match(plainPattern), null, file)
  for (const file of files.filter(name => name.startsWith('src/'))) {
    t.same(
      (read(file).match(sentence) ?? []).filter(text => text.match(plainPattern) !== null),
      [],
      file
    )
  }
  t.ok('to begin anew, run this'.match(plainPattern))
})

/** A comment that begins with a free relative instead of its subject: "What a client may do." A question may begin so. */
const freeRelative = /^(?:\/\*\*?|\/\/|--(?:\[=*\[)?)\s*(?:\*\s*)?(?:What|Who|Whoever|Whatever)\b/
const isFreeRelative = (comment: string) => freeRelative.test(comment) && !/\?\s*(?:\*\/|\]=*\])?\s*$/.test(comment)

t.test('comments begin with their subject', async t => {
  for (const file of files.filter(name => name.startsWith('src/'))) {
    const comments = readableText(file, read(file)).prose.filter(({ text }) => isFreeRelative(text))
    t.same(comments, [], file)
  }
  t.ok(isFreeRelative('/** What a session may do. */'))
  t.ok(isFreeRelative('/**\n * Whoever counts decides.\n */'))
  t.ok(isFreeRelative('--[[\nWhat an owner uses.\n]]'))
  t.notOk(isFreeRelative('// What if the store is gone?'))
  t.notOk(isFreeRelative('/** Permissions of a session: what it may do. */'))
})

t.test('avoided words are found in names, comments and titles, and not in data', async t => {
  const found = (text: string, path = 'src/bridge/x.ts') =>
    findAvoided(path, text).map(finding => /: "?([^";]+)/.exec(finding)?.[1])
  t.same(found('const isVain = 1'), ['isVain'])
  t.same(found('const lastWords = 1'), ['lastWords'])
  t.equal(found('// who was told').length, 1)
  t.equal(found("t.test('brakes attackers', () => {})").length, 1)
  t.equal(found(`const a = \`\${b}\` // a stranger`).length, 1, 'after a template')
  t.equal(found('const a = b.replace(/"/, c) // a stranger').length, 1, 'after a regular expression')
  t.same(found("const channel = 'room:1'"), [])
  t.same(found('const brakeless = 1'), [])
  t.equal(found('-- anew\nlocal seat = "seat"', 'roblox/src/x.luau').length, 2)
  t.equal(found('# anew\nseat = "seat"', 'test/x.py').length, 2)
  t.equal(found('"""It is told."""\nseats = f"seat"', 'test/x.py').length, 2)
})

t.test('names are split into words', async t => {
  t.equal(wordsOfName('createHTTPServer'), 'create http server')
  t.equal(wordsOfName('test_a_frame_is_told'), 'test a frame is told')
  t.equal(wordsOfName('#tellEnd'), 'tell end')
})
