import t from 'tap'
import { runLuau, specFiles } from './luau.js'

for (const file of specFiles()) t.test(file, t => runLuau(t, file))
