import t from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { checkOriginList, isListedOrigin, maxOrigins } from '../../src/config/origins.js'

t.test('https://*.example.com matches every subdomain, and nothing else', async t => {
  const rules = ['https://*.example.com', 'http://*.dev.test:3000']
  t.same(checkOriginList(rules), [])
  for (const origin of ['https://a.example.com', 'https://a.b-c.example.com', 'http://x.dev.test:3000']) {
    t.ok(isListedOrigin(rules, origin), origin)
  }
  for (const origin of [
    ...['https://example.com', 'http://a.example.com', 'https://a.example.com:8443', 'https://aexample.com'],
    ...['https://a.example.com.evil.com', 'https://evil.com/.example.com', 'https://evil@a.example.com'],
    ...['https://evil.com#.example.com', 'https://.example.com', 'https://a..example.com', 'https://*.example.com '],
    ...['http://x.dev.test', 'null', '']
  ]) {
    t.notOk(isListedOrigin(rules, origin), origin)
  }
})

t.test('a * elsewhere is refused, with a correction', async t => {
  for (const wrong of [
    ...['https://*', 'https://a.*.example.com', 'https://*example.com', 'https://example.*', '*.example.com'],
    ...[
      'https://*.*.example.com',
      'https://*.example.com/',
      'https://*.example.com:*',
      'app://*.example.com',
      '*://a.b'
    ]
  ]) {
    t.match(checkOriginList([wrong]), [/stands for subdomains only, as in https:\/\/\*\.example\.com/], wrong)
  }
  t.match(checkOriginList(['*', 'https://a.b']), [/must stand alone/])
})

t.test('origins of apps and extensions are accepted and compared as written', async t => {
  const origins = [
    ...['capacitor://localhost', 'tauri://localhost', 'ionic://localhost', 'app://-', 'vscode-webview://0a1b'],
    ...['chrome-extension://abcdefghijklmnopabcdefghijklmnop', 'moz-extension://7d5f-11', 'http://tauri.localhost']
  ]
  t.same(loadConfig({ COUNTERSIGN_ALLOWED_ORIGINS: origins.join(', ') }).config.allowedOrigins, {
    kind: 'list',
    origins
  })
  for (const origin of origins) t.ok(isListedOrigin(origins, origin), origin)
  t.notOk(isListedOrigin(origins, 'capacitor://evil'))
  t.notOk(isListedOrigin(origins, 'null'))
})

t.test('null is an origin only when it is written', async t => {
  t.same(checkOriginList(['null', 'https://a.example']), [])
  t.ok(isListedOrigin(['null'], 'null'))
  t.notOk(isListedOrigin(['https://a.example'], 'null'))
})

t.test('a fault names the correction of an origin that no browser sends', async t => {
  for (const [wrong, right] of [
    ['https://a.example/', 'write https://a.example'],
    ['HTTPS://A.example:443', 'write https://a.example'],
    ['https://münchen.example', 'write https://xn--mnchen-3ya.example'],
    ['a.example', 'write https://a.example'],
    ['wss://a.example', 'write https://a.example'],
    ['capacitor://localhost/', 'write an origin like'],
    ['file:///x.html', 'write null'],
    ['https://', 'write an origin like']
  ] as const) {
    t.match(checkOriginList([wrong]), [right], wrong)
  }
})

t.test('limits the number of origins', async t => {
  const list = Array.from({ length: maxOrigins }, (_, i) => `https://a${i}.example`)
  t.same(checkOriginList(list), [])
  t.match(checkOriginList([...list, 'https://b.example']), [/at most 256/])
})
