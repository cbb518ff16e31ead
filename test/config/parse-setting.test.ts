import t from 'tap';
import { origins } from '../../config/parse-setting.ts';

t.test('origins are those that browsers send, without path and in lower case, or *', async (t) => {
  t.strictSame([...origins('https://a.example')], ['https://a.example']);
  t.strictSame(
    [...origins('https://a.example:8443, tauri://localhost,http://[::1]:5173')],
    ['https://a.example:8443', 'tauri://localhost', 'http://[::1]:5173'],
  );
  t.strictSame([...origins('*')], ['*']);
  for (const odd of [
    'a.example',
    'https://a.example/',
    'https://A.example',
    'https://a b',
    '*,https://a.example',
    'null',
    ',',
  ]) {
    t.throws(() => origins(odd), TypeError, odd);
  }
});
