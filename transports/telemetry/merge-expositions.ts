/** The expositions of several processes as one: each metric once, and every series with the label of the process that it is from. */

/** `own` stays as it is; what came from a process gets the label `slot`. */
export function mergeExpositions(own: string, bySlot: ReadonlyMap<number, string>): string {
  const metrics = new Map<string, { readonly from: string; readonly head: string[]; readonly series: string[] }>();
  const add = (from: string, label: string | undefined) => {
    let name = '';
    for (const line of from.split('\n')) {
      if (line === '') continue;
      const declared = /^# (?:HELP|TYPE) (\S+)/.exec(line)?.[1];
      if (declared !== undefined) name = declared;
      let metric = metrics.get(name);
      if (metric === undefined) metrics.set(name, (metric = { from, head: [], series: [] }));
      if (declared === undefined) metric.series.push(label === undefined ? line : labelled(line, label));
      // One of another version may describe it in other words; said twice it is an error.
      else if (metric.from === from) metric.head.push(line);
    }
  };
  add(own, undefined);
  for (const [slot, text] of bySlot) add(text, `slot="${slot}"`);
  return [...metrics.values()].map(({ head, series }) => `${[...head, ...series].join('\n')}\n`).join('\n');
}

/** `name{a="b"} 1` or `name 1`. */
function labelled(line: string, label: string): string {
  const at = line.search(/[{ ]/);
  const rest = line.slice(at + 1);
  return line[at] === '{' ? `${line.slice(0, at)}{${label},${rest}` : `${line.slice(0, at)}{${label}} ${rest}`;
}
