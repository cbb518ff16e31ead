/** Loaded into a Node.js whose memory is looked at: collects its garbage at a signal which other programs ignore, so that what is seen is in use. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
process.on('SIGURG', () => collect());
