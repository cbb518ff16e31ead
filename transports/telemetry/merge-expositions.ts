/** The expositions of several processes as one: each metric once, and every series with the label of the process that it is from. */

interface Family {
  /** Who was the first to have it, and says what it is. */
  readonly from: string;
  readonly head: string[];
  type: string | undefined;
  readonly series: string[];
}

/**
 * `own` stays as it is; what came from a process gets the label `slot`. Nothing is added up here: each process begins at zero, and whoever
 * reads takes a counter that falls for a new beginning only where the series is that of one process at a time.
 */
export function mergeExpositions(own: string, bySlot: ReadonlyMap<number, string>): string {
  const families = new Map<string, Family>();
  const add = (from: string, label: string | undefined) => {
    let name = '';
    let isOfItsType = true;
    for (const line of from.split('\n')) {
      if (line === '') continue;
      const [, what, declared, said] = /^# (HELP|TYPE) (\S+) ?(.*)/.exec(line) ?? [];
      if (declared !== undefined && declared !== name) {
        name = declared;
        isOfItsType = true;
      }
      let family = families.get(name);
      if (family === undefined) families.set(name, (family = { from, head: [], type: undefined, series: [] }));
      if (declared === undefined) {
        if (isOfItsType) family.series.push(label === undefined ? line : labelled(line, label));
        continue;
      }
      // A process of another version may describe it in other words; said twice it is an error.
      if (family.from === from) family.head.push(line);
      if (what !== 'TYPE') continue;
      family.type ??= said;
      // Where it is something else there, it is none of this name: no reader takes two kinds of one.
      isOfItsType = family.type === said;
    }
  };
  add(own, undefined);
  for (const [slot, text] of bySlot) add(text, `slot="${slot}"`);
  return [...families.values()].map(({ head, series }) => `${[...head, ...series].join('\n')}\n`).join('\n');
}

/** `name{a="b"} 1` or `name 1`. */
function labelled(line: string, label: string): string {
  const at = line.search(/[{ ]/);
  const rest = line.slice(at + 1);
  return line[at] === '{' ? `${line.slice(0, at)}{${label},${rest}` : `${line.slice(0, at)}{${label}} ${rest}`;
}
