import { main } from './cli/main.js'

/** The same as `countersign serve`, without the start script that builds a clone: `node dist/server.js`. */
process.exitCode = await main(['serve', ...process.argv.slice(2)])
