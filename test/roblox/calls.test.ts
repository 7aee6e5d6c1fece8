import { runWithEachStore } from './live.js'

runWithEachStore('calls')
