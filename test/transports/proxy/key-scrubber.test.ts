import fc from 'fast-check';
import t from 'tap';
import { ProviderKey } from '../../../actors/relay/provider-key.ts';
import { KeyScrubber } from '../../../transports/proxy/key-scrubber.ts';

const key = 'sk-sk-abcab-9';
const keyed = new ProviderKey('test', key);

t.test('however an answer is cut the key is blotted out, nothing else is changed and no byte is lost', async (t) => {
  const text = fc
    .array(fc.constantFrom(key, key.slice(0, 3), key.slice(0, 9), key.slice(4), 's', 'sk-', 'x'), { maxLength: 10 })
    .map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (body, cuts) => {
      const scrubber = new KeyScrubber(keyed);
      const bytes = Buffer.from(body);
      const points = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const out = points.slice(1).map((to, index) => scrubber.push(Buffer.from(bytes.subarray(points[index], to))));
      const result = Buffer.concat([...out, scrubber.flush()]).toString();
      return result === body.replaceAll(key, '*'.repeat(key.length));
    }),
    { numRuns: 1_000 },
  );
  t.pass('it held');
});

t.test('bytes are held back only while they may be the beginning of the key', async (t) => {
  const scrubber = new KeyScrubber(keyed);
  t.equal(scrubber.push(Buffer.from('hello s')).toString(), 'hello ');
  t.equal(scrubber.push(Buffer.from('o')).toString(), 'so');
  t.equal(scrubber.flush().length, 0);
});

t.test('without a key, or with one too short to be one, answers pass untouched', async (t) => {
  for (const none of [undefined, new ProviderKey('test', 'short')]) {
    const chunk = Buffer.from('a short answer');
    t.equal(new KeyScrubber(none).push(chunk), chunk);
  }
});
