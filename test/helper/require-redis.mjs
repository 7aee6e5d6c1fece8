// Runs before `npm test`, which needs Redis. If there is none, it installs redis-server on Debian and Ubuntu as root; elsewhere
// it exits with 1 and a line that states how to install it.
import { spawnSync } from 'node:child_process'

function run(command, ...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
}

const hasCommand = name => run(name, '--version').status === 0
const hasRedis = () => Boolean(process.env.REDIS_URL) || ['redis-server', 'valkey-server'].some(hasCommand)
const isRoot = () => run('id', '-u').stdout?.trim() === '0'

function install() {
  const installPackage = () =>
    run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'redis-server').status === 0
  // A fresh container has no package lists.
  if (installPackage() || (run('apt-get', 'update', '-qq').status === 0 && installPackage())) {
    // The package starts a service; the tests start their own servers.
    if (run('systemctl', 'disable', '--now', 'redis-server').status !== 0) run('service', 'redis-server', 'stop')
  }
}

function fail(reason) {
  process.stderr.write(
    `npm test needs Redis${reason}: install it (apt-get install redis-server, brew install redis) or set REDIS_URL\n`
  )
  process.exit(1)
}

if (!hasRedis()) {
  if (!hasCommand('apt-get') || !isRoot()) fail('')
  process.stderr.write('npm test needs Redis: installing redis-server with apt-get\n')
  install()
  if (!hasRedis()) fail(', and apt-get could not install it')
}
