import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { ToPrimary } from './messages.js'
import type { WorkerListener, WorkerProcess } from './worker-pool.js'

/**
 * Starts workers with Node's cluster module: the primary listens, and distributes connections to the workers in turn.
 */

const program = fileURLToPath(new URL('./worker.js', import.meta.url))

/** @param nodeOptions  of the workers, besides those of this process */
export function createSpawn(
  nodeOptions: readonly string[]
): (number: number, listener: WorkerListener) => WorkerProcess {
  cluster.setupPrimary({ exec: program, args: [], execArgv: [...process.execArgv, ...nodeOptions] })
  return (_number, { received, ended }) => {
    const worker = cluster.fork()
    const { pid } = worker.process
    worker.on('message', (message: ToPrimary) => received(message))
    worker.on('exit', (code, signal) => ended(code, signal))
    // A connection was assigned to a worker that had just ended. Without a process there is no exit: the system had no
    // capacity.
    worker.on('error', () => {
      if (pid === undefined) ended(null, null)
    })
    return {
      pid: pid ?? 0,
      // A worker that has just ended receives no messages.
      send: message => void (worker.isConnected() && worker.send(message, () => {})),
      kill: signal => void worker.process.kill(signal)
    }
  }
}
