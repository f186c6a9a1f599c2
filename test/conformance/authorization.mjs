// authorization.mjs is loaded before the suite (node --import) and adds to each request that the suite
// sends the token in the file that MOORING_CONFORMANCE_TOKEN names, unless the request has a token of its
// own: the suite has no option for it.
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';

const value = `Bearer ${readFileSync(process.env.MOORING_CONFORMANCE_TOKEN, 'utf8').trim()}`;
// fetch, and what else is made with undici
subscribe('undici:request:create', ({ request }) => {
  if (!/^authorization(: |$)/im.test([request.headers].flat().join('\n'))) request.addHeader('authorization', value);
});
subscribe('http.client.request.created', ({ request }) => {
  if (!request.hasHeader('authorization')) request.setHeader('authorization', value);
});
