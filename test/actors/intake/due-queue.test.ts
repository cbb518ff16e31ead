import fc from 'fast-check';
import t from 'tap';
import { DueQueue } from '../../../actors/intake/due-queue.ts';

const entry = (id: number) => ({ id: `${id}-0`, fields: {}, deliveries: 1 });

t.test('gives back everything that is due, earliest first, and nothing else', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.nat(50), (dues, now) => {
      const queue = new DueQueue();
      for (const [index, due] of dues.entries()) queue.add(entry(index), due);
      const dueOf = ({ id }: { id: string }) => dues[Number.parseInt(id, 10)] ?? -1;
      const first = queue.takeDue(now).map(dueOf);
      const next = queue.nextDueMs;
      const rest = queue.takeDue(Infinity).map(dueOf);
      const sorted = [...dues].sort((a, b) => a - b);
      return (
        JSON.stringify([...first, ...rest]) === JSON.stringify(sorted) &&
        first.every((due) => due <= now) &&
        rest.every((due) => due > now) &&
        next === rest[0] &&
        queue.size === 0
      );
    }),
  );
});
