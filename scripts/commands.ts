/** The list of commands that everybody has: one line and one file each. A command's file is loaded when it is typed, so that none pays for another. */
import type { Command } from './command.ts';

export interface Entry {
  /** One line for `vello --help`. */
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  start: { summary: 'Start Vello: databases, all roles, and a demonstration.', load: () => import('./start.ts') },
  restart: {
    summary: 'Replace the processes of a running gateway one by one.',
    load: () => import('./operator/restart.ts'),
  },
  actors: { summary: 'Show the supervision tree of a running Vello.', load: () => import('./operator/actors-view.ts') },
  credits: { summary: 'Give credits, show an account, prove the ledger.', load: () => import('./operator/credits.ts') },
  'service-key': {
    summary: 'Issue, rotate, revoke and list the keys of services.',
    load: () => import('./operator/service-key.ts'),
  },
  'signing-key': {
    summary: 'Rotate and list the keys of access tokens.',
    load: () => import('./operator/signing-key.ts'),
  },
  device: { summary: 'Block hardware and lift blocks.', load: () => import('./operator/device.ts') },
  deeds: {
    summary: 'Show what operators did, or what was done to a device.',
    load: () => import('./operator/deeds.ts'),
  },
  prompts: {
    summary: 'Write, show and restore the system prompts of /vello/process.',
    load: () => import('./operator/prompts.ts'),
  },
  dlq: { summary: 'Show, retry or discard events that were given up.', load: () => import('./operator/dlq.ts') },
};
