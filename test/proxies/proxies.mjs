import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { freePort, isOpen, makeFolder, start, untilReady } from '../helper/processes.mjs'

/**
 * The configurations of deploy/, each with other names and ports. A name or port that is to be replaced must be there, so
 * that a configuration of another shape fails here.
 */

/** Stands for the address that the configurations exclude: Docker's own gateway in the compose network. */
export const excludedAddress = '127.0.0.3'
const dockerGateway = '10.213.0.1'

const shipped = name => readFileSync(new URL(`../../deploy/${name}`, import.meta.url), 'utf8')

function replace(text, [from, to]) {
  if (!text.includes(from)) throw new Error(`the configuration has no ${JSON.stringify(from)}`)
  return text.replaceAll(from, to)
}

async function run(name, program, args, environment, ports, folder) {
  const child = start(program, args, environment, folder)
  await untilReady(name, child, async () => (await isOpen(ports.https)) && (await isOpen(ports.http)), 20_000)
  return { name, child, ...ports }
}

const freePorts = async () => ({ http: await freePort(), https: await freePort() })

async function startCaddy(gateways) {
  const folder = makeFolder()
  const ports = await freePorts()
  const options = [
    'admin off',
    'skip_install_trust',
    `http_port ${ports.http}`,
    `https_port ${ports.https}`,
    'servers {'
  ]
  let text = [
    ...gateways.map(({ port }, index) => [`gateway-${index + 1}:8080`, `127.0.0.1:${port}`]),
    [dockerGateway, excludedAddress],
    ['\tservers {', `\t${options.join('\n\t')}`]
  ].reduce(replace, shipped('Caddyfile'))
  const file = join(folder, 'Caddyfile')
  const environment = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, SITE_DOMAIN: 'localhost' }
  const adapt = () => {
    writeFileSync(file, text)
    const args = ['adapt', '--adapter', 'caddyfile', '--config', file]
    return spawnSync('caddy', args, { encoding: 'utf8', env: { ...process.env, ...environment }, timeout: 20_000 })
  }
  // Caddy before 2.7 lacks this option, which matters for reloads only.
  if (/unrecognized subdirective stream_close_delay/.test(adapt().stderr)) {
    text = replace(text, ['stream_close_delay 5m', ''])
    const { status, stderr } = adapt()
    if (status !== 0) throw new Error(`caddy refuses the configuration: ${stderr}`)
  }
  return run('Caddy', 'caddy', ['run', '--adapter', 'caddyfile', '--config', file], environment, ports, folder)
}

async function startHaproxy(gateways) {
  const folder = makeFolder()
  const ports = await freePorts()
  const [certificate, key] = ['certificate.pem', 'key.pem'].map(name => join(folder, name))
  const made = spawnSync(
    'openssl',
    // biome-ignore format: one line is one command
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost', '-keyout', key, '-out', certificate],
    { encoding: 'utf8', timeout: 20_000 }
  )
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
  const bundle = join(folder, 'bundle.pem')
  writeFileSync(bundle, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 })

  let text = [
    // Replaces the address and keeps the server's name.
    ...gateways.map(({ port }, index) => [` gateway-${index + 1}:8080`, ` 127.0.0.1:${port}`]),
    [dockerGateway, excludedAddress],
    [':443 ', `:${ports.https} `],
    [':80\n', `:${ports.http}\n`],
    [':80 ', `:${ports.http} `],
    ['/etc/haproxy/certs/', bundle]
  ].reduce(replace, shipped('haproxy.cfg'))
  const hasIpv6 = Object.values(networkInterfaces())
    .flat()
    .some(({ family }) => family === 'IPv6')
  if (!hasIpv6) text = text.replace(/^\tbind :::.*\n/gm, '')
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, text)
  const checked = spawnSync('haproxy', ['-c', '-f', file], { encoding: 'utf8', timeout: 20_000 })
  if (checked.status !== 0) throw new Error(`haproxy refuses the configuration: ${checked.stderr}`)
  return run('HAProxy', 'haproxy', ['-db', '-f', file], {}, ports, folder)
}

export const proxies = { Caddy: startCaddy, HAProxy: startHaproxy }
