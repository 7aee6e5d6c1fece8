/**
 * Permissions of roles. A role is the capabilities of an API token, so the gateway enforces it, whatever the page or
 * the backend does.
 */

export const configChannel = 'config'

/**
 * @param {string} game  clientId of the game servers
 * @returns the capabilities of each role
 */
export function rolesOf(game) {
  const moderator = {
    call: [`${game}/state`, `${game}/kick`, `${game}/announce`],
    subscribe: [configChannel],
    presence: [configChannel],
    publish: []
  }
  const owner = { ...moderator, call: [...moderator.call, `${game}/shutdown`], publish: [configChannel] }
  return { moderator, owner }
}

/**
 * The API tokens of the example, each with only what its holder needs. Create them once.
 *
 * @param {string} game
 * @returns bodies for `POST /v1/admin/tokens`, by holder
 */
export function tokensOf(game) {
  const { moderator, owner } = rolesOf(game)
  const tokenOf = (name, clients, capabilities) => ({ name, scopes: ['tickets'], clients: [clients], ...capabilities })
  return {
    moderator: tokenOf('live-ops moderators', 'moderator-*', moderator),
    owner: tokenOf('live-ops owners', 'owner-*', owner),
    config: tokenOf('live-ops configuration', 'live-config', { subscribe: [configChannel], publish: [configChannel] }),
    game: tokenOf('live-ops game servers', game, { subscribe: ['chat', configChannel], publish: ['chat'] })
  }
}
