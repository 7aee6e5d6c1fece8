import t from 'tap'
import { maxLineFaults, parseEnvLines } from '../../src/config/env-lines.js'

const parse = (text: string) => {
  const { variables, faults } = parseEnvLines('.env', text)
  return { variables: { ...variables }, faults }
}
const store = 'COUNTERSIGN_STORE=redis://10.0.0.1:6379\n'
const storeAlone = { COUNTERSIGN_STORE: 'redis://10.0.0.1:6379' }

t.test('a line that is not NAME=value swallows no setting and is a fault', async t => {
  const odd = [
    '// production',
    '---',
    '[ini]',
    '; c',
    'the data folder:',
    'set X=1',
    'X Y=1',
    '=1',
    '\u00a0A=1',
    '\u200bA=1',
    '\ufeffA=1'
  ]
  for (const line of [
    ...odd,
    'hunter2',
    'COUNTERSIGN_PORT: 9001',
    'export',
    '{',
    'A=1\u2028B=2',
    'A=1\rB=2',
    'A=1\ufeffB=2'
  ]) {
    const { variables, faults } = parse(`${line}\n${store}`)
    const title = encodeURIComponent(line)
    t.same(variables, storeAlone, title)
    t.equal(faults.length, 1, title)
    t.match(faults[0], /^\.env line 1: .*not NAME=value$/, title)
  }
})

t.test('a fault repeats at most the name of a setting', async t => {
  for (const line of [
    'COUNTERSIGN_PORT: hunter2',
    'set COUNTERSIGN_PORT=hunter2',
    '\u200bCOUNTERSIGN_PORT=hunter2',
    'COUNTERSIGN_PORT="hunter2'
  ]) {
    const [fault] = parse(`A=1\n${line}\n`).faults
    t.match(fault, /^\.env line 2: COUNTERSIGN_PORT: /, line)
    t.notMatch(fault, 'hunter2')
  }
  t.notMatch(parse('hunter2\nfoo hunter2=1').faults.join(), 'hunter2')
})

t.test('text after a closing quote is a fault: the quote may have been closed by that of the next setting', async t => {
  const { variables, faults } = parse('A="x\nB="y"\nC=3\n')
  t.same(variables, { B: 'y', C: '3' })
  t.match(faults, [/^\.env line 1: A: text follows its closing quote/])
})

t.test('settings, comments, blank lines and quoted values of several lines are legal', async t => {
  const text = `# c\n\n \t\n  # d = "\nA=1\nexport B = two # c\nC="x\ny" # c\nD='a"b'\nE=\nF=  \nG=\`z\`\nH="#=@"\n${store}`
  const variables = { A: '1', B: 'two', C: 'x\ny', D: 'a"b', E: '', F: '', G: 'z', H: '#=@', ...storeAlone }
  t.same(parse(text), { variables, faults: [] })
  t.same(parse(text.replaceAll('\n', '\r\n')), { variables, faults: [] })
  t.match(parse('A="x\ny"\n---\n').faults, [/^\.env line 3:/], 'lines are those of the file')
})

t.test('reports a file in another format with a bounded number of lines', async t => {
  const { faults } = parse('x\n'.repeat(maxLineFaults + 5))
  t.equal(faults.length, maxLineFaults + 1)
  t.equal(faults.at(-1), '.env: 5 more such lines')
})
