/**
 * To be imported first by what runs a gateway. V8 makes objects in the old generation at once where many of their kind were once found alive, as
 * usage events are while Redis is slow: from then on each lies there, dead and with all that it leads to, until a full collection, and minor
 * collections take twice as long (docs/decisions/young-garbage.md).
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-allocation-site-pretenuring');
