/** Names the holder of a network address, for whatever is counted by address: read once, one name however it was spelled. Pure. */
import { isIP } from 'node:net';
import { VelloError } from '../../config/errors.ts';

/** What `sourceAddress` returned: limits take nothing else, so that no text is counted unread. */
export type SourceAddress = string & { readonly [isRead]: true };
declare const isRead: unique symbol;

/**
 * Returns an IPv4 address in dotted form (mapped into IPv6 too), or the first half of an IPv6 address, `2001:db8:0:1::/64`: whoever holds
 * one address there holds them all. A port, brackets and a zone, as proxies write them, are left out.
 * @throws VelloError `BAD_REQUEST` for a text that is no address
 */
export function sourceAddress(text: string): SourceAddress {
  return nameOf(withoutPort(text.trim())) as SourceAddress;
}

function nameOf(address: string): string {
  if (isIP(address) === 4) return address;
  if (isIP(address) !== 6) throw new VelloError('BAD_REQUEST', 'The address of the caller cannot be read.');
  const groups = expand(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return dotted(groups.slice(6));
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

function withoutPort(text: string): string {
  const [, bracketed] = /^"?\[([^\]]*)\](?::\d{1,5})?"?$/.exec(text) ?? [];
  const [, dottedQuad] = /^([\d.]+):\d{1,5}$/.exec(text) ?? [];
  const [address = ''] = (bracketed ?? dottedQuad ?? text).split('%');
  return address;
}

/** The eight groups of a valid IPv6 address. */
function expand(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  if (tail === undefined) return front;
  const back = groupsOf(tail);
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
}

function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

const dotted = (groups: readonly number[]): string =>
  groups.flatMap((group) => [Math.floor(group / 256), group % 256]).join('.');
