import { serve } from './cli/serve.js'

/** The gateway's process without the command around it: `node dist/server.js`, configured by its environment. */
process.exitCode = await serve(process.argv.slice(2), process.env)
