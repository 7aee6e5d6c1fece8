import type { SettingTexts } from './sources.js'

/**
 * Variables that Kubernetes injects into every pod for each Service of its namespace ("service links"). Those of a Service
 * whose name begins with `countersign-`, such as `countersign-redis`, look like settings.
 */

const linkNames =
  /^COUNTERSIGN_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d{1,5}_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/
const portName = /^COUNTERSIGN_(\w+_)?PORT$/
const portValue = /^(tcp|udp|sctp):\/\//

/** Whether Kubernetes injected a variable. A port counts only if its value is like `tcp://10.0.0.1:80`. */
export function isServiceLink(name: string, value: string | undefined): boolean {
  return linkNames.test(name) || (portName.test(name) && value !== undefined && portValue.test(value))
}

/** Names in one warning. */
const shownNames = 3

/** @returns one warning about all of them; undefined if there are none */
export function serviceLinkWarning(source: SettingTexts): string | undefined {
  const names = Object.keys(source)
    .filter(name => isServiceLink(name, source[name]))
    // The shortest first: COUNTERSIGN_PORT may have been meant as the setting.
    .sort((a, b) => a.length - b.length)
  const [first] = names
  if (first === undefined) return undefined
  const others = names.length - shownNames
  const shown = names.slice(0, shownNames).join(', ') + (others > 0 ? ` and ${others} more` : '')
  return `ignored what Kubernetes injects for Services (${shown}): set enableServiceLinks: false on the pod`
}
