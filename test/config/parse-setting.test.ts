import t from 'tap';
import { bytesByModel, origins } from '../../config/parse-setting.ts';

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

t.test('bytes are given by model, whose name may hold colons', async (t) => {
  t.strictSame(Object.fromEntries(bytesByModel('whisper-1:26214400, ft:gpt-4o:org::x:7,*:5')), {
    'whisper-1': 26_214_400,
    'ft:gpt-4o:org::x': 7,
    '*': 5,
  });
  for (const odd of ['', '5', 'm:', ':5', 'm:0', 'm:-1', 'm:1.5', 'm:5,m:6', 'm:5,', 'a b:5']) {
    t.throws(() => bytesByModel(odd), TypeError, odd);
  }
});
