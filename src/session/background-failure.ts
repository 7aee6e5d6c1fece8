import { StoreUnavailable } from '../store/store.js'
import type { Log, SessionDependencies } from './dependencies.js'

type StoreWork = Parameters<SessionDependencies['boundedLog']['storeFailed']>[0]

/**
 * Logs background work that failed. A store outage fails it for every session, so outages are counted instead.
 * @param log  destination of the line if the store is not the cause
 */
export function reportBackgroundFailure(
  { boundedLog }: Pick<SessionDependencies, 'boundedLog'>,
  work: StoreWork,
  error: unknown,
  log: Pick<Log, 'warn'>,
  message: string
): void {
  if (error instanceof StoreUnavailable) boundedLog.storeFailed(work, error)
  else log.warn({ err: error }, message)
}
