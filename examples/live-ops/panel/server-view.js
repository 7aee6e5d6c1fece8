import { openDialog } from './action-dialog.js'
import { byId, durationText, make, setText } from './elements.js'

/** The list of game servers. A row is updated in its place, so that one that is open stays open. */

export class ServerView {
  #rows = new Map()
  #list
  #client
  #log
  #may

  /**
   * @param options.list    the {@link ServerList}
   * @param options.client  of the JavaScript SDK
   * @param options.log     the {@link CommandLog}
   * @param options.may     `(method) => boolean`: what the role may call
   */
  constructor({ list, client, log, may }) {
    this.#list = list
    this.#client = client
    this.#log = log
    this.#may = may
    byId('servers').replaceChildren()
  }

  /** @param failure  why the list could not be read */
  show(failure) {
    const { servers } = this.#list
    for (const [id, row] of this.#rows) {
      if (servers.some(server => server.id === id)) continue
      row.element.remove()
      this.#rows.delete(id)
    }
    for (const [index, server] of servers.entries()) {
      const row = this.#rows.get(server.id) ?? this.#add(server)
      if (byId('servers').children[index] !== row.element) {
        byId('servers').insertBefore(row.element, byId('servers').children[index] ?? null)
      }
      this.#update(row, server)
    }
    const online = servers.reduce((sum, { players = 0 }) => sum + players, 0)
    setText(
      byId('server-count'),
      failure === undefined ? `${servers.length} live · ${online} players` : `not read: ${failure.message}`
    )
    byId('no-servers').hidden = servers.length > 0
  }

  #add({ id, label }) {
    const cell = name => make('span', { class: name })
    const cells = {
      players: cell('players'),
      version: cell('version'),
      age: cell('age'),
      seen: cell('seen'),
      applied: cell('applied')
    }
    const bar = make('progress', { max: 1, value: 0, ariaLabel: 'players' })
    const people = make('ul', { class: 'people' })
    const actions = make('div', { class: 'actions' })
    const summary = make('summary', {}, make('code', { class: 'name' }, label), bar, ...Object.values(cells))
    const details = make('details', {}, summary, make('div', { class: 'inside' }, people, actions))
    const row = {
      element: make('li', { class: 'server', data: { id } }, details),
      details,
      cells,
      bar,
      people,
      shown: undefined
    }
    details.ontoggle = () => this.#loadPlayers(row)
    if (this.#may('announce')) actions.append(this.#button('Announce here', () => this.#announce(row.server)))
    if (this.#may('shutdown')) actions.append(this.#button('Shut down', () => this.#shutDown(row.server), 'grave'))
    this.#rows.set(id, row)
    return row
  }

  #update(row, server) {
    const { cells, bar } = row
    const isChanged = row.server?.players !== server.players
    row.server = server
    bar.max = server.maxPlayers ?? 1
    bar.value = server.players ?? 0
    setText(cells.players, `${server.players ?? '?'} / ${server.maxPlayers ?? '?'}`)
    setText(cells.version, `v${server.placeVersion ?? '?'}`)
    setText(cells.age, `up ${durationText(this.#list.now() - server.startedAt)}`)
    setText(cells.seen, `seen ${durationText(this.#list.now() - server.lastSeenAt)} ago`)
    setText(cells.applied, server.config === undefined ? 'no config' : `config ${server.config}`)
    if (isChanged && row.details.open) this.#loadPlayers(row)
  }

  async #loadPlayers(row) {
    if (!row.details.open) return
    try {
      const { players } = await this.#client.call({ sessionId: row.server.sessionId }, 'state', undefined, {
        timeoutMs: 1500
      })
      const names = players.map(String).sort()
      if (names.join('\n') === row.shown) return
      row.shown = names.join('\n')
      row.people.replaceChildren(...names.map(player => this.#person(row, player)))
      if (names.length === 0) row.people.append(make('li', { class: 'soft' }, 'Nobody is on this server.'))
    } catch (error) {
      row.shown = undefined
      row.people.replaceChildren(
        make('li', { class: 'soft' }, `The players could not be read: ${error.code ?? error.message}`)
      )
    }
  }

  #person(row, player) {
    const kick = this.#button('Kick', () => this.#kick(row, player))
    kick.ariaLabel = `Kick ${player}`
    return make('li', {}, make('span', {}, player), ...(this.#may('kick') ? [kick] : []))
  }

  #button(text, onclick, className = '') {
    return make('button', { type: 'button', class: `small ${className}`, onclick }, text)
  }

  #give(method, server) {
    return (key, data) =>
      this.#log.call(key, method, data, [{ sessionId: this.#list.sessionOf(server), label: server.label }])
  }

  #kick(row, player) {
    const call = this.#give('kick', row.server)
    openDialog({
      title: `Kick ${player} from ${row.server.label}`,
      label: 'Reason, which the player sees',
      button: 'Kick',
      isGrave: true,
      give: async (key, reason) => {
        const command = await call(key, { player, reason })
        await this.#loadPlayers(row)
        return command
      }
    })
  }

  #announce(server) {
    const call = this.#give('announce', server)
    openDialog({
      title: `Announce to ${server.label}`,
      label: 'Text, which its players see',
      button: 'Announce',
      give: (key, text) => call(key, { text })
    })
  }

  #shutDown(server) {
    const call = this.#give('shutdown', server)
    openDialog({
      title: `Shut down ${server.label}`,
      label: 'Reason, which its players see',
      text: 'This server is restarting.',
      button: 'Shut down',
      isGrave: true,
      give: (key, reason) => call(key, { reason })
    })
  }
}
