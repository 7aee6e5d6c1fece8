import fc from 'fast-check'
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config/load.js'
import { passwordsOf, showSetting } from '../../src/config/store-url.js'

const show = (text: string) => showSetting('COUNTERSIGN_STORE', text)
const hidden = '(hidden: not a valid URL)'

t.test('shows scheme, addresses and path of the known forms', async t => {
  for (const [text, shown] of [
    ['embedded', 'embedded'],
    ['redis://h', 'redis://h'],
    ['redis://u:p@h:1/2', 'redis://***@h:1/2'],
    ['rediss://:p@[::1]:1', 'rediss://***@[::1]:1'],
    ['redis://h?password=p', 'redis://h?***'],
    ['redis+sentinel://u:p@a:1,b:2/main', 'redis+sentinel://***@a:1,b:2/main'],
    ['redis+cluster://a:1,b', 'redis+cluster://a:1,b']
  ] as const) {
    t.equal(show(text), shown)
  }
})

t.test('shows nothing of a URL that does not parse or whose password is ambiguous', async t => {
  const texts = [
    'redis://:PW/y@h',
    'redis:/:PW@h',
    ':PW@h:1',
    'redis://u:PW@x@h/y@z',
    'redis://a@PW@h',
    'redis://h?x=PW@h',
    'redis://:PW',
    'PW'
  ]
  for (const text of texts) t.equal(show(text), hidden, text)
  t.equal(showSetting('COUNTERSIGN_HOST', 'redis://:PW/y@h'), hidden, 'in another setting')
})

t.test('a password that reaches into the path is a fault', async t => {
  const secrets = {
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 9).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40)
  }
  t.throws(() => loadConfig({ ...secrets, COUNTERSIGN_STORE: 'redis://u:123/y@h' }), {
    message: /STORE: percent-encode/
  })
  t.doesNotThrow(() => loadConfig({ ...secrets, COUNTERSIGN_STORE: 'redis://u:p@ss@h' }))
})

t.test('bug: a database that is not a number was accepted', async t => {
  const secrets = {
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 9).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40)
  }
  for (const path of ['/foo', '/1/2', '/-1', '/1x']) {
    const COUNTERSIGN_STORE = `redis://h${path}`
    t.throws(() => loadConfig({ ...secrets, COUNTERSIGN_STORE }), { message: /STORE: .*number of a database/ }, path)
  }
  for (const path of ['', '/', '/0', '/15']) {
    t.doesNotThrow(() => loadConfig({ ...secrets, COUNTERSIGN_STORE: `redis://h${path}` }), path)
  }
})

t.test('the log knows a password in each of its forms', async t => {
  t.same(passwordsOf('redis://u:p%40s@h'), ['p%40s', 'p@s'])
  t.same(passwordsOf('redis://u:p@ss:w@h'), ['p@ss:w', 'p@ss:w'])
  t.same(passwordsOf('redis://h?a=1&password=x'), ['x', 'x'])
})

t.test('property: no output holds the password of any URL', async t => {
  const odd = fc.string({ unit: fc.constantFrom(...'/@:?#[]%,.& \t\\"\'$+-_=é0a'.split('')), maxLength: 6 })
  const scheme = fc.constantFrom('redis:', 'rediss:', 'redis+sentinel:', 'redis+cluster:', 'redis+x:', 'Redis:', '')
  const slashes = fc.constantFrom('//', '/', '', '///')
  const end = fc.constantFrom('@h', '@h:1', '@h:1/0', '@a:1,b:2/main', '@[::1]', '@', '@h?x=1', '@h/y@z')
  const url = fc
    .tuple(scheme, slashes, odd, odd, odd, end)
    .map(([a, b, user, left, right, c]) => `${a}${b}${user}:${left}hunter2${right}${c}`)
  const query = fc
    .tuple(scheme, slashes, odd, odd)
    .map(([a, b, left, right]) => `${a}${b}h?password=${left}hunter2${right}`)
  const names = fc.constantFrom('STORE', 'HOST', 'PORT', 'TRUST_PROXY', 'PRESENCE', 'LOG_LEVEL', 'ALLOWED_ORIGINS')
  fc.assert(
    fc.property(fc.oneof(url, query), names, (text, name) => {
      const shown = [showSetting(`COUNTERSIGN_${name}`, text)]
      try {
        loadConfig({ [`COUNTERSIGN_${name}`]: text })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        shown.push(error.message)
      }
      return !shown.join('\n').includes('hunter2')
    }),
    { numRuns: 3000 }
  )
  t.pass()
})
