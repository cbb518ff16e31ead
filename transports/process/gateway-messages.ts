/** What a gateway process and the one that started it say to each other. */
import type { GatewayHealth, GatewayQuestion } from '../../actors/programs/gateway-process.ts';

export type MessageToGateway =
  | { readonly type: 'question'; readonly id: number; readonly question: GatewayQuestion }
  /** Its successor is up: it takes no new connections, and ends when those it has are gone. */
  | { readonly type: 'hand-over' };

export type GatewayMessage =
  | { readonly type: 'health'; readonly health: GatewayHealth }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown };
