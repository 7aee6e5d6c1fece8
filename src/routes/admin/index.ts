import { auditResource } from './audit/routes.js'
import { backupResource } from './backup/routes.js'
import { clientResource } from './clients/routes.js'
import { importResource } from './imports/routes.js'
import { licenseResource } from './licenses/routes.js'
import { presenceResource } from './presence/routes.js'
import type { AdminResource } from './resource.js'
import { sessionResource } from './sessions/routes.js'
import { tokenResource } from './tokens/routes.js'
import { upkeepResource } from './upkeep/routes.js'

/** Resources under `/v1/admin`, in the order of the API reference. */
export const adminResources: readonly AdminResource[] = [
  clientResource,
  licenseResource,
  importResource,
  sessionResource,
  presenceResource,
  tokenResource,
  auditResource,
  upkeepResource,
  backupResource
]
