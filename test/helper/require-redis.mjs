// `npm test` needs Redis: without one it fails with a line that says how to get it, before anything else is printed.
import { spawnSync } from 'node:child_process'

const found =
  process.env.REDIS_URL || ['redis-server', 'valkey-server'].some(name => spawnSync(name, ['--version']).status === 0)

if (!found) {
  process.stderr.write(
    'npm test needs Redis: set REDIS_URL, or install it (apt-get install redis-server, brew install redis)\n'
  )
  process.exit(1)
}
