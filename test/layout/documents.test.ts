import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { relative } from 'node:path'
import t from 'tap'
import { settingsSchema } from '../../src/config/schema.js'
import { apiErrors } from '../../src/errors.js'
import { codes, validationCodes } from '../../src/protocol/codes.js'
import { filesUnder, read, sources } from './files.js'

/** Documents and configurations that must match the code. */

t.test('PROTOCOL.md has exactly our codes', async t => {
  const rows = [...read('PROTOCOL.md').matchAll(/^\| `([A-Z_]+)` \| (–|\d{4}) \| (\d{3}) \|/gm)]
  const written = Object.fromEntries(rows.map(([, code, close, status]) => [code, { close, status }]))
  const ours = Object.fromEntries(
    Object.entries(codes).map(([code, { status, ...rest }]) => [
      code,
      { close: 'close' in rest ? String(rest.close) : '–', status: String(status) }
    ])
  )
  t.same(written, ours)
  const validations = [...read('PROTOCOL.md').matchAll(/^\| `([A-Z_]+)` \| [^|\d–][^|]*\|$/gm)].map(([, code]) => code)
  t.same(validations.sort(), [...validationCodes].sort())
  for (const [code, { status }] of Object.entries(apiErrors)) {
    const wire = Object.hasOwn(codes, code) ? codes[code as keyof typeof codes] : undefined
    if (wire !== undefined) t.equal(status, wire.status, `${code} has one status`)
  }
})

t.test('close codes are unique: 44xx is final for the client, 45xx is temporary', async t => {
  const closes = Object.values(codes).flatMap(code => ('close' in code ? [code.close] : []))
  t.equal(new Set(closes).size, closes.length)
  for (const close of closes) t.ok(close >= 4400 && close < 4600)
})

t.test('.env.example and docs/settings.md match the schema, and no page names another setting', async t => {
  const fresh = execFileSync(process.execPath, ['scripts/generate-settings.mjs', '--print'], { encoding: 'utf8' })
  t.equal(read('.env.example') + read('docs/settings.md'), fresh, 'run: npm run generate')
  for (const page of [
    'README.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    'deploy/README.md',
    ...filesUnder('docs', /\.md$/)
  ]) {
    for (const [name] of read(page).matchAll(/\bCOUNTERSIGN_[A-Z_]*[A-Z]\b/g)) {
      t.ok(name in settingsSchema.properties, `${page}: ${name}`)
    }
  }
})

t.test('docs/scaling.md has the tables that bench/scaling.mjs computes', async t => {
  const tables = execFileSync(process.execPath, ['bench/scaling.mjs', '--print'], { encoding: 'utf8' })
  const page = read('docs/scaling.md')
  for (const each of tables.trim().split('\n\n')) t.ok(page.includes(each), 'run: node bench/scaling.mjs')
})

t.test('every Redis script is loaded, and documents its input and output', async t => {
  const loader = read('src/store/redis/scripts.ts')
  for (const file of filesUnder('src/store/redis/scripts', /\.lua$/)) {
    const name = relative('src/store/redis/scripts', file).replace('.lua', '')
    if (name.startsWith('include/')) continue
    t.match(loader, new RegExp(`'${name}'`), name)
    t.match(
      read(file),
      /^(?:-- (?:include|constants) [A-Za-z -]+\n)*--\[\[\n[\s\S]*\nInput\n[\s\S]*\nOutput\n[\s\S]*\]\]/,
      name
    )
  }
})

t.test('docker-compose.yml and the Dockerfile fit the program (parsed only)', async t => {
  const compose = read('docker-compose.yml')
  const settings = [...compose.matchAll(/^\s+(COUNTERSIGN_[A-Z_]+):/gm)].map(([, name]) => String(name))
  t.ok(settings.length > 0)
  for (const name of settings) t.ok(name in settingsSchema.properties, name)
  for (const wanted of [/^ {2}redis:/m, /^ {2}gateway-1:/m, /^ {2}gateway-2:/m, /^ {2}caddy:/m])
    t.match(compose, wanted)
  t.match(compose, /"--appendonly", "yes"/)
  t.match(compose, /"--maxmemory-policy", "noeviction"/)
  const grace = Number(/stop_grace_period: (\d+)s/.exec(compose)?.[1])
  const drain = Number(/COUNTERSIGN_DRAIN_SECONDS: "(\d+)"/.exec(compose)?.[1])
  t.ok(grace > drain, 'a gateway drains before it is killed')
  const caddy = read('deploy/Caddyfile')
  t.match(caddy, /gateway-1:8080[\s\S]*gateway-2:8080/)
  t.match(caddy, /health_uri \/readyz/)
  const dockerfile = read('Dockerfile')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
    String(names).split(' ')
  )
  for (const name of copied) t.doesNotThrow(() => readdirSync('.').includes(name.split('/')[0] ?? ''), name)
  t.match(dockerfile, /bin\/countersign\.mjs/)
})

t.test(
  'containers have exact base versions, and run without privileges on a root that is read only (parsed only)',
  async t => {
    const [dockerfile, compose] = [read('Dockerfile'), read('docker-compose.yml')]
    const stages = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)
    t.equal(stages.pop(), 'scratch', 'the image holds what is copied into it and nothing else')
    for (const image of stages) t.match(image, /^\$\{NODE_IMAGE\}$/)
    const [, last = ''] = dockerfile.split(/^FROM scratch.*$/m)
    t.notMatch(last, /^RUN /m, 'it has no shell')
    t.match(dockerfile, /^ARG NODE_IMAGE=node:24\./m, 'the newest LTS line that is supported')
    const images = [...`${dockerfile}${compose}`.matchAll(/(?:NODE_IMAGE=|^ +image: )(\S+)/gm)].map(
      ([, image]) => image
    )
    t.equal(images.length, 3)
    for (const image of images) t.match(image, /^[a-z]+:\d+\.\d+\.\d+-[a-z-]+$/, 'name:major.minor.patch-system')
    t.match(dockerfile, /^USER [1-9]\d*:[1-9]\d*$/m, 'a number, and not that of root')
    t.match(dockerfile, /^HEALTHCHECK [\s\S]*\/livez/m)
    t.match(dockerfile, /--read-only --tmpfs \/tmp --cap-drop ALL/)
    t.notMatch(dockerfile, /^(ENV|ARG).*(MASTER_KEY|ADMIN_TOKEN)/m)
  }
)

t.test('docker-compose.yml bounds and hardens each container, and keeps secrets in files (parsed only)', async t => {
  const compose = read('docker-compose.yml')
  const [, gateway = '', rest = ''] = compose.split(/^(?:x-gateway:.*|services:)$/m)
  const [, redis = '', caddy = ''] = rest.split(/^ {2}(?:redis|caddy):$/m)
  for (const container of [gateway, redis, caddy]) {
    for (const wanted of [
      'read_only: true',
      'cap_drop: [ALL]',
      'no-new-privileges:true',
      'mem_limit:',
      'pids_limit:'
    ]) {
      t.ok(container.includes(wanted), wanted)
    }
    t.match(container, /ulimits:\n\s+nofile: \d+/)
    t.match(container, /logging: (&logging\n[\s\S]+max-size|\*logging)/)
  }
  t.match(redis, /"--maxmemory", "\d+mb"/)
  t.match(gateway, /secrets: \[master_key, admin_token\]/)
  t.notMatch(compose, /COUNTERSIGN_(MASTER_KEY|ADMIN_TOKEN):/, 'no secret in an environment')
})

t.test('docs/operating.md lists every metric, and no other', async t => {
  const namesIn = (text: string) => [...new Set(text.match(/\bcountersign_[a-z_]+[a-z]\b/g))].sort()
  const registered = [
    ...sources
      .map(read)
      .join('\n')
      .matchAll(/name: '(countersign_[a-z_]+)'/g)
  ].map(([, name]) => name)
  t.ok(registered.length > 0)
  t.same(namesIn(read('docs/operating.md')), registered.sort())
})

t.test('each row of the symptom table in docs/operating.md is walked by a case of test/operate', async t => {
  const [, table = ''] = read('docs/operating.md').split(/^## Symptoms$/m)
  const rows = [...(table.split(/^## /m)[0] ?? '').matchAll(/^\| ([^|]+) \|/gm)]
    .map(([, symptom]) => symptom)
    .filter(symptom => symptom !== 'symptom' && symptom !== '---')
  const walked = filesUnder('test/operate/cases', /\.mjs$/).flatMap(file => {
    const [, list = ''] = /^export const symptoms = \[(.+)\]$/m.exec(read(file)) ?? []
    return [...list.matchAll(/'([^']+)'/g)].map(([, symptom]) => symptom)
  })
  t.ok(rows.length >= 9)
  t.same(walked.sort(), rows.sort())
})
