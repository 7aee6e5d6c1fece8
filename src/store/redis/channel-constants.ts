import { channelLifeMs, defaultHistory, type HistoryBounds, historyBytes, maxAgedDrops } from '../channels.js'
import type { ScriptConstants } from './scripts.js'

/**
 * Bytes of an entry of a history besides its data: its time of 14 characters, and up to 10 bytes of Redis' listpack
 * (listpack.c: a header and a back length of 5 bytes each, at most).
 */
export const entryOverheadBytes = 24
/** Longest extra life of a channel's key, in milliseconds. Its life is renewed at most this often. */
const maxSlackMs = 1000
/** The same as a share of the history's life. */
const slackShare = 0.01

/**
 * Constants of scripts/channel-publish.lua.
 * @param mostBytes  of a channel's history
 */
export function channelConstants(history: HistoryBounds = defaultHistory, mostBytes = historyBytes): ScriptConstants {
  return {
    ...{ most: history.size, mostBytes, historyLifeMs: history.lifeMs },
    ...{ channelLifeMs: channelLifeMs(true, history.lifeMs), maxAgedDrops, overheadBytes: entryOverheadBytes },
    slackMs: Math.min(maxSlackMs, Math.ceil(history.lifeMs * slackShare))
  }
}
