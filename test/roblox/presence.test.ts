import { runWithEachStore } from './live.js'

runWithEachStore('presence', { presence: ['here.*'] })
