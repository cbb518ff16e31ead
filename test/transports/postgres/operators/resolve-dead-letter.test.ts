import t from 'tap';
import { createAbandonedEvents } from '../../../../transports/postgres/credits/abandoned-events.ts';
import { resolveDeadLetter } from '../../../../transports/postgres/operators/resolve-dead-letter.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';

t.test('an operator ends an abandoned event once, and every act is on record', async (t) => {
  const { admin, operator, system } = await createMigratedDatabase(t);
  const letter = { stream: 's', entryId: '1-0', fields: {}, attempts: [], errorCode: 'API_TIMEOUT' };
  await createAbandonedEvents(system).record([letter]);
  const ending = { stream: 's', entryId: '1-0', operator: 'alex' };
  await resolveDeadLetter(operator, { ...ending, resolution: 'retried' });
  await resolveDeadLetter(operator, { ...ending, resolution: 'discarded' });
  t.match(await admin`select resolution from dead_letters`, [{ resolution: 'retried' }], 'the first stands');
  t.match(await admin`select operator, action, target from audit_log order by id`, [
    { operator: 'alex', action: 'dlq retry', target: 's 1-0' },
    { operator: 'alex', action: 'dlq discard', target: 's 1-0' },
  ]);
});
