import { CommandLog } from './command-log.js'
import { byId, setText } from './elements.js'

/** The live configuration: what is set now, by whom, how many servers have it, and for an owner a form to change it. */

const channel = 'config'
const names = ['gravity', 'clockTime']

export class ConfigView {
  #log
  #mayPublish
  /** The newest publication. */
  #current
  #key = CommandLog.newKey()
  #isDirty = false

  /**
   * @param options.client      of the JavaScript SDK
   * @param options.log         the {@link CommandLog}
   * @param options.mayPublish  whether the role may set it
   * @param options.onPresence  called when somebody has joined or left the channel, such as a game server
   */
  constructor({ client, log, mayPublish, onPresence }) {
    this.#log = log
    this.#mayPublish = mayPublish
    byId('config-fields').disabled = !mayPublish
    byId('config-submit').hidden = !mayPublish
    byId('config-form').oninput = () => this.#edit()
    byId('config-form').onsubmit = event => {
      event.preventDefault()
      void this.#publish()
    }
    client.subscribe(channel, publication => this.#apply(publication), { last: 1, onPresence })
    // Publications are missing: the newest one is the configuration.
    client.on('missed', async () => {
      const { publications } = await client.history(channel, { limit: 1 })
      if (publications.length > 0) this.#apply(publications[0])
    })
    this.#showButton()
  }

  /** @param servers  the live ones */
  showServers(servers) {
    if (this.#current === undefined) return setText(byId('config-state'), 'Nothing has been set yet.')
    const { offset, publisher, publishedAt } = this.#current
    const upToDate = servers.filter(({ config }) => config === offset).length
    const by = publisher === undefined ? 'over HTTP' : `by ${publisher}`
    const at = new Date(publishedAt).toLocaleTimeString()
    setText(
      byId('config-state'),
      `Number ${offset}, set ${by} at ${at}. ${upToDate} of ${servers.length} servers have it.`
    )
  }

  #apply(publication) {
    this.#current = publication
    if (!this.#isDirty) this.#fill()
    this.#showButton()
  }

  #fill() {
    for (const name of names) {
      const value = this.#current?.data?.[name]
      if (typeof value === 'number') byId(`config-${name}`).value = value
    }
    this.#showOutputs()
  }

  #showOutputs() {
    for (const name of names) byId(`config-${name}-value`).value = byId(`config-${name}`).value
  }

  #edit() {
    this.#isDirty = true
    this.#key = CommandLog.newKey()
    this.#showOutputs()
    this.#showButton()
  }

  #showButton() {
    byId('config-submit').disabled = !this.#mayPublish || (!this.#isDirty && this.#current !== undefined)
  }

  async #publish() {
    if (byId('config-submit').disabled) return
    this.#isDirty = false
    byId('config-submit').disabled = true
    const values = Object.fromEntries(names.map(name => [name, Number(byId(`config-${name}`).value)]))
    const { targets } = await this.#log.publish(this.#key, channel, values)
    // Keeps the key: the next click repeats this publication, and it is published once.
    if (targets[0].state !== 'done') this.#isDirty = true
    this.#showButton()
  }
}
