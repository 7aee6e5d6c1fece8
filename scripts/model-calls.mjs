/** Variants of docs/model/calls.pml, in the form of those in model.mjs. */

// How SPIN reports each fault.
const twiceRun = 'runs[r]==0'
const anotherCall = 'other==at[a].other'
const anotherAnswer = 'answeredBy[r]==0'
const twoOutcomes = 'at[a].got==0'
const ran = '!(call['
const stillBound = '(n==0)||'
const followed = 'at[a].joined==0'
const waits = '!(isLate)'
const stuck = 'invalid end state'

const bridge = { RECEIVERS: 1, FAULTS: 1 }
const ws = { RECEIVERS: 2, FAULTS: 0 }
const patient = { ...ws, PATIENT: 1 }
const conflict = { ...bridge, OTHERS: 1 }
const answers = { ...bridge, ANSWERS: 2 }

const variants = [
  { name: 'a repeat, to a bridge session', bounds: { ...bridge, FAULTS: 2 } },
  { name: 'a repeat, to a ws session', bounds: { ...ws, FAULTS: 2 } },
  { name: 'a repeat, to one of two sessions', bounds: { FAULTS: 0 } },
  { name: 'three attempts', bounds: { ATTEMPTS: 3, CALLERS: 1, RECEIVERS: 1, FAULTS: 0 } },
  { name: 'one key for two calls, two answers', bounds: { ...conflict, ANSWERS: 2, FAULTS: 2 } },
  { name: 'one call, three faults', bounds: { ATTEMPTS: 1, FAULTS: 3 } },
  { name: 'two calls without a key', bounds: { ...ws, KEYED: 0 } },
  { name: 'nobody waits for the deadline without a fault', bounds: { PATIENT: 1, FAULTS: 0 } },
  { name: 'every run ends (no cycle)', bounds: { ...bridge, FAULTS: 2 }, cycles: true },
  { name: 'without: a key is bound to its first call', bounds: bridge, without: 'NO_NX', shows: twiceRun },
  {
    name: 'without: the key is bound before the call is delivered',
    bounds: bridge,
    without: 'DELIVER_FIRST',
    shows: twiceRun
  },
  { name: 'without: the receiver drops repeated frames', bounds: bridge, without: 'NO_DEDUP', shows: twiceRun },
  { name: 'without: a time-out keeps the key bound', bounds: bridge, without: 'TIMEOUT_UNBINDS', shows: twiceRun },
  { name: 'without: the first answer counts', bounds: answers, without: 'FIRST_REPLACED', shows: anotherAnswer },
  {
    name: 'without: who looks for a result compares the digest',
    bounds: conflict,
    without: 'NO_DIGEST',
    shows: anotherCall
  },
  { name: 'without: only an awaited outcome is brought', bounds: bridge, without: 'NO_AWAITED', shows: twoOutcomes },
  { name: 'without: what may have been delivered is unknown', bounds: bridge, without: 'UNSURE_REFUSED', shows: ran },
  { name: 'without: a refusal comes after the drop', bounds: bridge, without: 'DROP_LATER', shows: stillBound },
  {
    name: 'without: a call that was refused elsewhere is dropped',
    bounds: ws,
    without: 'DROP_NEVER',
    shows: stillBound
  },
  { name: 'without: a call that is `unsent` is dropped', bounds: bridge, without: 'UNSENT_BINDS', shows: stillBound },
  {
    name: 'without: repeats follow a call to the next session',
    bounds: { FAULTS: 0 },
    without: 'NO_FOLLOW',
    shows: followed
  },
  { name: 'without: any instance declares the time-out', bounds: bridge, without: 'NO_DEADLINE', shows: stuck },
  { name: 'without: a call is sent after its commit', bounds: patient, without: 'DISPATCH_FIRST', shows: waits },
  { name: 'without: a session that ends settles its calls', bounds: patient, without: 'NO_ABANDON', shows: waits },
  { name: 'without: a drop refuses the repeats that joined', bounds: patient, without: 'SILENT_DROP', shows: waits }
]
const deeper = [
  { name: 'a repeat, to one of two sessions, a fault', bounds: { FAULTS: 1 } },
  { name: 'a repeat, to a ws session, three faults', bounds: { ...ws, FAULTS: 3 } },
  { name: 'three attempts on both transports', bounds: { ATTEMPTS: 3, RECEIVERS: 1, FAULTS: 0 } }
]

function ofCalls(variant) {
  return { ...variant, model: 'calls.pml' }
}

export const callVariants = variants.map(ofCalls)
export const deeperCallVariants = deeper.map(ofCalls)
