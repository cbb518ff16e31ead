import t from 'tap';
import { describeEntry, listEntries } from '../../../scripts/operator/dlq-text.ts';

const entry = {
  id: '1763700000000-0',
  fields: {
    event_id: 'e-1',
    type: 'transcribe',
    error: 'API_TIMEOUT',
    attempt: '4',
    result: 'what the user said',
    failures: '[{"attempt":1,"at":1763700000000,"error":"API_TIMEOUT"}]',
  },
};

t.test('lists what happened to which event, and how many more there are', async (t) => {
  const text = listEntries([entry], 3);
  t.match(text, /1763700000000-0 +2025-11-21 04:40:00 +transcribe +API_TIMEOUT +4 +e-1/);
  t.match(text, /2 older/);
  t.equal(listEntries([], 0), 'There is no dead event.');
});

t.test('shows one event with its attempts, and never the words of its user', async (t) => {
  const text = describeEntry(entry);
  t.match(text, /Attempts:\n {2}1 {2}2025-11-21 04:40:00 UTC {2}API_TIMEOUT/);
  t.match(text, /18 characters, not shown/);
  t.notMatch(text, /what the user said/);
});

t.test('a malformed event cannot write to the terminal', async (t) => {
  const hostile = { id: '1-0', fields: { error: '\u001b[2Jgone', 'na\u001bme': 'x', failures: 'no' } };
  t.notOk(describeEntry(hostile).includes('\u001b'));
  t.notOk(listEntries([hostile], 1).includes('\u001b'));
  t.match(describeEntry(hostile), /cannot be read/);
});
