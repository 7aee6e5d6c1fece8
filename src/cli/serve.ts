import cluster from 'node:cluster'
import { type Config, loadSources } from '../config/load.js'
import { secretSettings } from '../config/secret-files.js'
import { flagOf, type Sources } from '../config/sources.js'
import { greeting } from './greeting.js'
import { warnOfHeap } from './heap-warning.js'
import { openLog, type ProcessLog } from './process-log.js'
import { explain } from './start-failure.js'
import { warnOfStore } from './warn-of-store.js'
import { explainCount, readResources, workerCount } from './workers/count.js'

/** `countersign serve`: a gateway in this process, or in several workers. */

/** Other users can read a process's command line. */
function warnOfSecrets({ flags, secretFiles }: Sources): string[] {
  return secretSettings
    .filter(name => name !== 'COUNTERSIGN_STORE' && flags[name] !== undefined && secretFiles[name] === undefined)
    .map(
      name => `--${flagOf(name)} can be read by others on this machine: use --${flagOf(name)}-file or the environment`
    )
}

async function serveAlone(config: Config, sources: Sources, log: ProcessLog): Promise<number> {
  const { openGateway } = await import('./gateway-process.js')
  warnOfHeap(config, log)
  const gateway = await openGateway({ config, sources, log })
  const url = await gateway.listen()
  const ended = gateway.run('once')
  // The reader of this line may send a signal at once.
  process.stderr.write(greeting(config, url))
  void warnOfStore(config, log)
  return ended
}

/** The primary does not load the gateway itself. */
async function serveWith(config: Config, sources: Sources, log: ProcessLog): Promise<number> {
  const resources = readResources()
  const count = workerCount(config, resources)
  if (config.workers === 'auto') log.logger.info({ workers: count }, explainCount(config, resources))
  if (count === 1) return serveAlone(config, sources, log)
  if (cluster.isWorker) {
    log.logger.warn({}, 'COUNTERSIGN_WORKERS is ignored: a process manager runs this process as a worker of its own')
    return serveAlone(config, sources, log)
  }
  const { runPrimary } = await import('./workers/primary.js')
  return runPrimary({ config, sources, log, count, resources })
}

/**
 * Runs a gateway.
 * @returns the exit code, when the gateway has stopped or could not start
 * @throws ConfigError with every fault of the configuration
 */
export async function serve(sources: Sources): Promise<number> {
  const { config, warnings } = loadSources(sources)
  const log = openLog(config)
  for (const warning of [...warnings, ...warnOfSecrets(sources)]) log.logger.warn({}, warning)
  try {
    return await serveWith(config, sources, log)
  } catch (error) {
    const known = explain(error, config)
    if (known === undefined) throw error
    process.stderr.write(`countersign: ${log.redactor.redact(known)}\n`)
    return 1
  }
}
