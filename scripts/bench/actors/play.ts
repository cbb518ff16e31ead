/** Plays one scenario on one peer in a process of its own, so that no peer's warm code helps or hinders another's; prints the result. */
import { createKernelPeer } from './kernel-peer.ts';
import { nactPeer } from './nact-peer.ts';
import type { ScenarioName } from './scenario.ts';

const [peer = '', scenario = '', playMs = ''] = process.argv.slice(2);
const peers = { nact: nactPeer, vello: createKernelPeer(true), unmeasured: createKernelPeer(false) } as const;
const result = await peers[peer as keyof typeof peers][scenario as ScenarioName]({ playMs: Number(playMs) });
console.log(result);
process.exit(0);
