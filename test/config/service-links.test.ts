import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config/load.js'
import { lookUp, mergeSources } from '../../src/config/sources.js'

/** Variables that Kubernetes injects into a pod for a Service of this name. */
function injectedFor(service: string): Record<string, string> {
  const name = service.toUpperCase().replaceAll('-', '_')
  return {
    [`${name}_SERVICE_HOST`]: '10.0.0.1',
    [`${name}_SERVICE_PORT`]: '80',
    [`${name}_SERVICE_PORT_HTTP`]: '80',
    [`${name}_PORT`]: 'tcp://10.0.0.1:80',
    [`${name}_PORT_80_TCP`]: 'tcp://10.0.0.1:80',
    [`${name}_PORT_80_TCP_PROTO`]: 'tcp',
    [`${name}_PORT_80_TCP_PORT`]: '80',
    [`${name}_PORT_80_TCP_ADDR`]: '10.0.0.1',
    [`${name}_PORT_53_UDP`]: 'udp://10.0.0.1:53',
    [`${name}_PORT_53_UDP_PROTO`]: 'udp'
  }
}

t.test('ignores variables that Kubernetes injects for Services, with one warning and advice', async t => {
  for (const service of ['countersign', 'countersign-redis', 'countersign-api', 'countersign-port', 'countersign-2']) {
    const { config, warnings } = loadConfig(injectedFor(service))
    t.equal(config.port, 8080, service)
    t.equal(warnings.length, 1, service)
    t.match(warnings[0], /enableServiceLinks: false/)
  }
  const { warnings } = loadConfig({ ...injectedFor('countersign-redis'), ...injectedFor('countersign') })
  t.equal(warnings.length, 1, 'one warning for all Services')
  t.match(warnings[0], /\(COUNTERSIGN_PORT, .+ and 17 more\)/, 'it names the setting first')
})

t.test('a typo still stops the start', async t => {
  for (const name of ['PROT', 'SERVICES', 'SERVICE', 'PORT_80', 'REDIS', 'SERVICE_HOSTS', 'REDIS_PORT']) {
    t.throws(() => loadConfig({ [`COUNTERSIGN_${name}`]: '80' }), ConfigError, name)
  }
})

t.test('COUNTERSIGN_PORT stays a setting, and an injected one does not hide that of .env', async t => {
  t.equal(loadConfig({ COUNTERSIGN_PORT: '9000' }).config.port, 9000)
  const sources = { flags: {}, environment: injectedFor('countersign'), file: { COUNTERSIGN_PORT: '9000' } }
  t.equal(loadConfig(mergeSources(sources)).config.port, 9000)
  t.match(lookUp(sources, 'COUNTERSIGN_PORT'), { value: '9000', from: '.env' })
  t.equal(lookUp({ ...sources, file: {} }, 'COUNTERSIGN_PORT'), undefined)
})
