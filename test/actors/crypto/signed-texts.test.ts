import t from 'tap';
import { deviceAuthText, serviceRequestText, webSocketText } from '../../../actors/crypto/signed-texts.ts';

t.test('builds the texts that the contract prints', async (t) => {
  t.equal(
    deviceAuthText({ challengeId: 'id', nonce: 'n', publicKey: 'k' }).toString(),
    'vello-device-auth:v1\nid\nn\nk',
  );
  t.equal(
    webSocketText({ deviceId: 'd', timestamp: 1_750_000_000, sequence: 7, tokenSha256: 'ab' }).toString(),
    'vello-ws:v1\nd\n1750000000\n7\nab',
  );
  const request = { serviceId: 'collector', timestamp: 1, method: 'post', path: '/api/jobs/add?a=b', bodySha256: 'cd' };
  t.equal(serviceRequestText(request).toString(), 'vello-service:v1\ncollector\n1\nPOST\n/api/jobs/add?a=b\ncd');
});

t.test('refuses fields that could move the border between two fields', async (t) => {
  const fine = { challengeId: 'id', nonce: 'n', publicKey: 'k' };
  for (const nonce of ['a\nb', 'a\rb', '']) t.throws(() => deviceAuthText({ ...fine, nonce }), TypeError);
  const handshake = { deviceId: 'd', timestamp: 1.5, sequence: 1, tokenSha256: 'ab' };
  t.throws(() => webSocketText(handshake), TypeError);
  t.throws(() => webSocketText({ ...handshake, timestamp: Number.NaN }), TypeError);
});
