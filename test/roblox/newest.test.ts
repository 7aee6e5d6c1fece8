import { runWithEachStore } from './live.js'

runWithEachStore('newest')
