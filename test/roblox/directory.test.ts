import { runWithEachStore } from './live.js'

runWithEachStore('directory')
