// How the client is bundled for browsers: for the demo page, and for the package `@countersign/client`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, transform } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Bound of the bundle, gzipped, in bytes. */
export const maxBundleBytes = 16 * 1024

/**
 * Parts that a browser does not need: statuses and texts of codes, what the bridge alone receives, checks of `seq`,
 * which a session counts itself, `[]` in place of `{}`, which no gateway sends, which rule of JSON a gateway broke, and
 * the checks of the items of its lists. A signature covers both.
 */
const slim = {
  name: 'slim',
  setup(builder) {
    builder.onLoad({ filter: /protocol\/codes\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replace(/status: \d+, message: '[^']*'/g, text =>
          /signature/.test(text) ? text.replace(/status: \d+, /, '') : ''
        )
        .replace(/^ {2}\w+: \{\s*\},?\n/gm, '')
        .replace(/(?<=close: 4\d)\d\d/g, '00')
    }))
    builder.onLoad({ filter: /protocol\/json-scan\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replace(/\brefuse\((?:'[^']*'|`[^`]*`)\)/g, 'refuse()')
        .replace('refuse(reason: string)', "refuse(reason = 'malformed JSON')")
    }))
    builder.onLoad({ filter: /checks\.generated\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8')
        .replace(/(?<=^export const upstreamMembers =) \{.*?^\}/ms, ' {}')
        .replace(/^export const callResultRequest = \[[^\]]*\]/m, rows => rows.replace(/, expected\d+/g, ''))
        .replace(/ && v\.every\(check\d+\)/g, '')
        .replace(/\bobjectMember\((.*)\)/g, '$1')
        .replace(/^ {2}polled: \[\n[^\]]*\],\n/m, '')
        .replace(/^ *(?:required|optional)\('(?:seq|poll|expectedSeq)', .*\n/gm, '')
    }))
    builder.onLoad({ filter: /protocol\/limits\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8').replace(/^ {2}(?!frameBytes|dataBytes|depth)\w+: [\d_]+,?\n/gm, '')
    }))
  }
}

/**
 * Members that only modules of the client use, and no message, option, event or browser interface has. Short names for them
 * save 0.5 KB, gzipped.
 */
export const internalMembers = [
  ...['accept', 'acceptOld', 'answerChallenge', 'begin', 'buffered', 'byeSeq', 'catchUp', 'catchUpAll', 'catchUpSeq'],
  ...['caughtUp', 'cause', 'causeOfNoSession', 'channelStates', 'clearAll', 'clearTimer', 'clientChannels'],
  ...['clientKey', 'connections', 'createMac', 'current', 'cursor', 'denied', 'discard', 'dispatch', 'dispatcher'],
  ...['done', 'drop', 'emit', 'encoded', 'endAll', 'endIdle', 'endWithBye', 'expected', 'expectRestart', 'failed'],
  ...['failures', 'fallBehind', 'fault', 'finish', 'handlerOf', 'handlers', 'hasListeners', 'hasUnsent', 'heard'],
  ...['hintedMs', 'host', 'isBehind', 'isBusy', 'isCurrent', 'isJoined', 'isLasting', 'isNew', 'isObject', 'isOf'],
  ...['isOver', 'isRunning', 'isSent', 'isUsable', 'joinLast', 'joinPending', 'joinSeq', 'mayHaveRun'],
  ...['memberText', 'newIdempotencyKey', 'nonce', 'ofClosedBytes', 'ofText', 'onAck', 'onAnswer', 'onChannelMessage'],
  ...['onClose', 'onClosed', 'onDropped', 'onEnded', 'onFrame', 'onLost', 'onMessage', 'onReconnect', 'onRefused'],
  ...['onSent', 'onSettled', 'onState', 'onStopped', 'onTrouble', 'onWake', 'onWelcome', 'opened', 'openSocket'],
  ...['probe', 'proceed', 'purpose', 'receive', 'refusal', 'refuse', 'reject', 'rejectAll', 'remove', 'repeatTimer'],
  ...['reportFault', 'required', 'restart', 'retryJoinsAfter', 'sendBye', 'sendFrame', 'sendNow', 'sendRequest'],
  ...['served', 'serverKey', 'sessionLost', 'sessionOpened', 'setTimer', 'settle', 'signer', 'signRequest'],
  ...['succeeded', 'timer', 'verifier', 'wanted']
]

/** Of what is written for browsers. */
export const browserTarget = 'safari15'

const options = {
  entryPoints: [`${root}src/client/browser.ts`],
  bundle: true,
  minify: true,
  mangleProps: new RegExp(`^(?:${internalMembers.join('|')})$`),
  // No member is named like Array's `at`, which Safari 15.0 lacks.
  mangleCache: { at: false },
  target: browserTarget,
  plugins: [slim],
  legalComments: 'none',
  logLevel: 'warning'
}

/** Writes the client as one ES module. */
export async function bundleForBrowsers(outfile) {
  const { outputFiles } = await build({ ...options, format: 'esm', write: false })
  // Within one file more constants are known than within many: 100 bytes, gzipped.
  const { code } = await transform(outputFiles[0].text, { format: 'esm', target: browserTarget, minify: true })
  mkdirSync(dirname(outfile), { recursive: true })
  writeFileSync(outfile, code)
}
