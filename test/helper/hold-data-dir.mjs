// Opens the embedded store in the given folder and keeps it open until killed.
import { openEmbeddedStore } from '../../dist/store/embedded/index.js'

openEmbeddedStore(process.argv[2], Date.now)
process.send('open')
process.on('message', () => {})
